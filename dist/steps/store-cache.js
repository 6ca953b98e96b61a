import { entries, hasCacheService } from '../cache/entries.js'

import { emptyIndex, sizeOf } from '../cache/model.js'
import { openCache } from '../cache/open.js'

import { programs } from '../places.js'

/**
 * The service that keeps entries between jobs; undefined when this run uses no cache, or has none to use.
 * @param timeout milliseconds after which a transfer is given up
 */
export function entriesFor(inputs, env, log, timeout) {
  if (inputs.cache === 'false' || !hasCacheService(env)) return undefined
  return entries({ client: programs.client, env, log, ...(timeout === undefined ? {} : { timeout }) })
}

/**
 * Whose indexes this run works with. A run for `pull_request_target` continues the pull request's index, so that what
 * strangers' code has built is not what the base branch's own runs find.
 */
export function refsOf({ ref, cacheBases }) {
  return { ref, bases: cacheBases }
}

/** Opens the store cache; from then on post can save what this job adds to it. */
export async function openTheCache(job) {
  const { inputs, context, system, places, env, runner, report } = job
  if (inputs.cache === 'false') {
    report.cache = { status: 'off', paths: 0, bytes: 0 }
    return { status: 'off', index: emptyIndex }
  }
  const scope = inputs.cacheScope
  const options = { system, scope, ...refsOf(context), ...places, ...programs, env, log: runner }
  const opened = await openCache(options)
  job.save({ cache: { key: opened.key, base: opened.base, server: opened.server } })
  const status = opened.status === 'off' ? 'off' : undefined
  const { index } = opened
  report.cache = { status, paths: index.paths.size, bytes: sizeOf(index), limit: inputs.cacheSize }
  return opened
}
