import { mkdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { messageOf } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import type { Log } from '../util/log.ts'
import type { EntryAnswer, EntryRequest } from './client-model.ts'
import { cacheClients, type Heard } from './client-process.ts'

/** `missing`: there surely is none. `failed`: the service, the disk or what was downloaded is in trouble. */
export type Restored =
  | { readonly outcome: 'restored'; readonly key: string }
  | { readonly outcome: 'missing' }
  | { readonly outcome: 'failed'; readonly why: string }

/** `exists`: somebody has saved under this key, or is doing it now. `denied`: this job may only read. */
export type Saved =
  | { readonly outcome: 'saved' | 'exists' }
  | { readonly outcome: 'denied' | 'failed'; readonly why: string }

/**
 * Entries of the Actions cache: immutable files or directories, named by keys. An entry is known by the name of what
 * it holds too, not by where that lies: what was saved as `/a/x` can be restored as `/b/x`.
 * Trouble with the service is a result, never an exception.
 */
export type Entries = {
  /**
   * Brings an entry to `path`.
   * @param path absolute
   * @param prefixes the newest entry whose key begins so is taken when there is none named `key`
   */
  restore(path: string, key: string, prefixes?: readonly string[]): Promise<Restored>
  /** As `restore`, without downloading anything. */
  find(path: string, key: string, prefixes?: readonly string[]): Promise<Restored>
  save(path: string, key: string): Promise<Saved>
  /** Requests that the service was sent so far, as far as they can be told from what came of them. */
  readonly calls: number
}

export type EntriesOptions = {
  /** The built `cache-client.js`. */
  readonly client: string
  /** With the variables by which the runner gives access to the service. */
  readonly env: NodeJS.ProcessEnv
  readonly log: Log
  /** Milliseconds after which a transfer is given up. @default 10 minutes */
  readonly timeout?: number
}

/** Whether the job has a cache service at all: GitHub's runners do, other runners need not. */
export function hasCacheService(env: NodeJS.ProcessEnv): boolean {
  return Boolean(env.ACTIONS_RUNTIME_TOKEN && (env.ACTIONS_RESULTS_URL || env.ACTIONS_CACHE_URL))
}

/** The service as GitHub's own client speaks to it. */
export function entries({ client, env, log, timeout = 600_000 }: EntriesOptions): Entries {
  const clients = cacheClients(client, env)
  let calls = 0
  const ask = async (request: EntryRequest): Promise<Heard> => {
    try {
      await mkdir(request.folder, { recursive: true, mode: 0o700 })
      return await clients.ask(request, timeout)
    } catch (error) {
      return { answer: { problem: messageOf(error) }, said: [] }
    }
  }
  const lookUp = async (
    path: string,
    key: string,
    prefixes: readonly string[],
    lookupOnly: boolean,
  ): Promise<Restored> => {
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

function restored({ answer, said }: Heard): Restored {
  if ('done' in answer && typeof answer.done === 'string') return { outcome: 'restored', key: answer.done }
  const why = whyOf(answer, said)
  return why === undefined ? { outcome: 'missing' } : { outcome: 'failed', why }
}

function saved({ answer, said }: Heard): Saved {
  if ('done' in answer && answer.done) return { outcome: 'saved' }
  const why = whyOf(answer, said) ?? 'the cache client does not say why'
  if (/\(409\)|already_exists|already exists/.test(why)) return { outcome: 'exists' }
  return { outcome: /cache write denied|save skipped/i.test(why) ? 'denied' : 'failed', why }
}

/**
 * The client throws hardly anything: it prints it, most clearly in a debug line where it could not reserve a key.
 * Undefined when nothing went wrong.
 */
function whyOf(answer: EntryAnswer, said: readonly string[]): string | undefined {
  if ('problem' in answer) return short(answer.problem)
  const match = (pattern: RegExp) => said.flatMap(line => pattern.exec(line)?.[1] ?? []).at(-1)
  const why =
    match(/^::debug::Failed to reserve cache: (?:Error: )?(.*)/) ??
    match(/^::(?:warning|error)[^:]*::(?:Failed to (?:restore|save): )?(.*)/) ??
    match(/^(Cache (?:restore|save) skipped: .*)/)
  return why === undefined ? undefined : short(why)
}

/** In one line, without what may give access in a URL. */
function short(text: string): string {
  const plain = text
    .replaceAll('%0A', ' ')
    .replaceAll('%0D', ' ')
    .replaceAll('%25', '%')
    .replace(/(https?:\/\/[^\s?]+)\?\S*/g, '$1')
    .replace(/\s+/g, ' ')
    .trim()
  return harmless(plain.length > 300 ? `${plain.slice(0, 300)} …` : plain)
}

function inWords(result: Restored | Saved): string {
  if ('why' in result) return `${result.outcome}: ${result.why}`
  return 'key' in result ? `${result.outcome} ${result.key}` : result.outcome
}
