import { spawn } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { withoutInputs } from '../util/environment.js'
import { messageOf } from '../util/errors.js'
import { harmless } from '../util/harmless.js'

/** Whether the job has a cache service at all: GitHub's runners do, other runners need not. */
export function hasCacheService(env) {
  return Boolean(env.ACTIONS_RUNTIME_TOKEN && (env.ACTIONS_RESULTS_URL || env.ACTIONS_CACHE_URL))
}

/** The service as GitHub's own client speaks to it. */
export function entries(options) {
  let calls = 0
  const lookUp = async (path, key, prefixes, lookupOnly) => {
    const request = { restore: basename(path), key, prefixes, lookupOnly }
    const result = restored(await transfer(dirname(path), request, options))
    calls += result.outcome === 'restored' && !lookupOnly ? 2 : 1
    options.log.debug(`${lookupOnly ? 'look up' : 'restore'} ${key}: ${inWords(result)}`)
    return result
  }
  return {
    restore: (path, key, prefixes = []) => lookUp(path, key, prefixes, false),
    find: (path, key, prefixes = []) => lookUp(path, key, prefixes, true),
    async save(path, key) {
      const result = saved(await transfer(dirname(path), { save: basename(path), key }, options))
      calls += result.outcome === 'saved' ? 3 : 1
      options.log.debug(`save ${key}: ${inWords(result)}`)
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

/** Never rejects. */
async function transfer(folder, request, { client, env, timeout = 600_000 }) {
  const said = []
  let answer = { problem: 'the cache client ended without an answer' }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const child = spawn(process.execPath, [client], {
      cwd: folder,
      env: { ...withoutInputs(env), GITHUB_WORKSPACE: folder, RUNNER_TEMP: folder, RUNNER_DEBUG: '' },
      stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
      // A process group of its own, so that tar and zstd end with it.
      detached: true,
    })
    const timer = setTimeout(() => {
      answer = { problem: `the cache service did not answer within ${timeout / 1000} s` }
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has just ended.
      }
    }, timeout)
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', line => said.push(line))
    child.once('message', message => {
      answer = message
    })
    await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => resolve())
      // One that has ended before it was asked ends without an answer.
      child.send(request, () => {})
    }).finally(() => clearTimeout(timer))
  } catch (error) {
    answer = { problem: messageOf(error) }
  }
  return { answer, said }
}
