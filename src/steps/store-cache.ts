import { type Entries, entries, hasCacheService } from '../cache/entries.ts'
import type { Refs } from '../cache/indexes.ts'
import { emptyIndex, sizeOf } from '../cache/model.ts'
import { type OpenedCache, openCache } from '../cache/open.ts'
import type { Inputs } from '../inputs/model.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import type { Context } from '../runner/context.ts'
import type { Log } from '../util/log.ts'

/**
 * The service that keeps entries between jobs; undefined when this run uses no cache, or has none to use.
 * @param timeout milliseconds after which a transfer is given up
 */
export function entriesFor(
  inputs: Inputs,
  env: NodeJS.ProcessEnv,
  log: Log,
  timeout?: number,
): Entries | undefined {
  if (inputs.cache === 'false' || !hasCacheService(env)) return undefined
  return entries({ client: programs.client, env, log, ...(timeout === undefined ? {} : { timeout }) })
}

/**
 * Whose indexes this run works with. A run for `pull_request_target` continues the pull request's index, so that what
 * strangers' code has built is not what the base branch's own runs find.
 */
export function refsOf({ ref, cacheBases }: Context): Refs {
  return { ref, bases: cacheBases }
}

/** Opens the store cache; from then on post can save what this job adds to it. */
export async function openTheCache(job: Job): Promise<OpenedCache> {
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
