import { mkdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { messageOf } from '../util/errors.js'
import { harmless } from '../util/harmless.js'

import { cacheClients } from './client-process.js'

/** Whether the job has a cache service at all: GitHub's runners do, other runners need not. */
export function hasCacheService(env) {
  return Boolean(env.ACTIONS_RUNTIME_TOKEN && (env.ACTIONS_RESULTS_URL || env.ACTIONS_CACHE_URL))
}

/** The service as GitHub's own client speaks to it. */
export function entries({ client, env, log, timeout = 600_000 }) {
  const clients = cacheClients(client, env)
  let calls = 0
  const ask = async request => {
    try {
      await mkdir(request.folder, { recursive: true, mode: 0o700 })
      return await clients.ask(request, timeout)
    } catch (error) {
      return { answer: { problem: messageOf(error) }, said: [] }
    }
  }
  const lookUp = async (path, key, prefixes, lookupOnly) => {
    const request = { folder: dirname(path), restore: basename(path), key, prefixes, lookupOnly }
    const result = restored(await ask(request))
    calls += result.outcome === 'restored' && !lookupOnly ? 2 : 1
    log.debug(`${lookupOnly ? 'look up' : 'restore'} ${key}: ${inWords(result)}`)
    return result
  }
  return {
    restore: (path, key, prefixes = []) => lookUp(path, key, prefixes, false),
    find: (path, key, prefixes = []) => lookUp(path, key, prefixes, true),
    async save(path, key) {
      const result = saved(await ask({ folder: dirname(path), save: basename(path), key }))
      calls += result.outcome === 'saved' ? 3 : 1
      log.debug(`save ${key}: ${inWords(result)}`)
      return result
    },
    get calls() {
      return calls
    },
  }
}

function restored({ answer, said }) {
  if ('done' in answer && typeof answer.done === 'string') return { outcome: 'restored', key: answer.done }
  const why = whyOf(answer, said)
  return why === undefined ? { outcome: 'missing' } : { outcome: 'failed', why }
}

function saved({ answer, said }) {
  if ('done' in answer && answer.done) return { outcome: 'saved' }
  const why = whyOf(answer, said) ?? 'the cache client does not say why'
  if (/\(409\)|already_exists|already exists/.test(why)) return { outcome: 'exists' }
  return { outcome: /cache write denied|save skipped/i.test(why) ? 'denied' : 'failed', why }
}

/**
 * The client throws hardly anything: it prints it, most clearly in a debug line where it could not reserve a key.
 * Undefined when nothing went wrong.
 */
function whyOf(answer, said) {
  if ('problem' in answer) return short(answer.problem)
  const match = pattern => said.flatMap(line => pattern.exec(line)?.[1] ?? []).at(-1)
  const why =
    match(/^::debug::Failed to reserve cache: (?:Error: )?(.*)/) ??
    match(/^::(?:warning|error)[^:]*::(?:Failed to (?:restore|save): )?(.*)/) ??
    match(/^(Cache (?:restore|save) skipped: .*)/)
  return why === undefined ? undefined : short(why)
}

/** In one line, without what may give access in a URL. */
function short(text) {
  const plain = text
    .replaceAll('%0A', ' ')
    .replaceAll('%0D', ' ')
    .replaceAll('%25', '%')
    .replace(/(https?:\/\/[^\s?]+)\?\S*/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  return harmless(plain.length > 300 ? `${plain.slice(0, 300)} …` : plain)
}

function inWords(result) {
  if ('why' in result) return `${result.outcome}: ${result.why}`
  return 'key' in result ? `${result.outcome} ${result.key}` : result.outcome
}
