import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../util/errors.ts'
import { count, formatBytes } from '../util/text.ts'
import { type Entries, type EntriesOptions, entries, hasCacheService, withoutInputs } from './entries.ts'
import { readIndex } from './index-file.ts'
import { type CacheName, indexPrefix } from './keys.ts'
import { type CacheIndex, emptyIndex, sizeOf } from './model.ts'
import type { Started, SubstituterOptions } from './substituter.ts'

export type OpenOptions = Omit<EntriesOptions, 'timeout'> &
  CacheName & {
    /** The action's own folder in RUNNER_TEMP; it exists, and nobody else reads it. */
    readonly folder: string
    /** The built `substituter.js`. */
    readonly substituter: string
  }

export type OpenedCache = {
  /** `empty`: nothing can be taken from it in this run, for whatever reason. `off`: there is no service. */
  readonly status: 'opened' | 'empty' | 'off'
  readonly index: CacheIndex
  /** Of the entry that the index came from. */
  readonly key?: string
  /** The process that serves it: what Nix is given as a substituter, and how `stopSubstituter` finds it. */
  readonly server?: { readonly url: string; readonly pid: number }
}

/** Milliseconds. An index is small: a service that does not give it by then would only be in the way. */
const indexTimeout = 60_000

/**
 * Fetches the newest index and starts the process that serves it to Nix. A service that does not answer, and an index
 * that is damaged or of another version, are an empty cache. Never throws.
 */
export async function openCache(options: OpenOptions): Promise<OpenedCache> {
  const { log, env } = options
  if (!hasCacheService(env)) {
    log.info('This runner has no cache service: nothing is restored or saved.')
    return { status: 'off', index: emptyIndex }
  }
  try {
    return await restoreAndServe(options)
  } catch (error) {
    log.warning(`The store cache is not used in this run: ${messageOf(error)}`)
    return { status: 'empty', index: emptyIndex }
  }
}

async function restoreAndServe(options: OpenOptions): Promise<OpenedCache> {
  const { folder, log } = options
  const { key, index, problem } = await newestIndex(options, entries({ ...options, timeout: indexTimeout }))
  if (problem !== undefined) {
    const what = key === undefined ? 'cannot be read' : 'is damaged'
    log.warning(`The store cache ${what}: ${problem}. The build goes on without what is missing.`)
  }
  // Post fetches the index that is newest then, and compares. An entry of somebody else's need not have the file.
  if (key !== undefined) await rename(indexFile(folder), openedIndexFile(folder)).catch(() => {})
  const found = { index, ...(key === undefined ? {} : { key }) }
  if (index.paths.size === 0) {
    if (problem === undefined) log.info('The store cache is empty.')
    return { status: 'empty', ...found }
  }
  try {
    const server = await startSubstituter(options)
    const amount = `${count(index.paths.size, 'path')} in ${count(index.packs.size, 'pack')}`
    log.info(`The store cache holds ${amount}, ${formatBytes(sizeOf(index))}.`)
    return { status: 'opened', ...found, server }
  } catch (error) {
    log.warning(`The store cache is not used in this run: ${messageOf(error)}`)
    return { status: 'empty', ...found }
  }
}

/**
 * The newest index that this job may read. `key` is that of the entry, also when what it holds cannot be used; the
 * index is the empty one then.
 */
export async function newestIndex(
  { folder, ...name }: CacheName & { readonly folder: string },
  store: Entries,
): Promise<{ readonly key?: string; readonly index: CacheIndex; readonly problem?: string }> {
  const directory = indexFolder(folder)
  await rm(directory, { recursive: true, force: true })
  const prefix = indexPrefix(name)
  const result = await store.restore(directory, prefix, [prefix])
  if (result.outcome === 'missing') return { index: emptyIndex }
  if (result.outcome === 'failed') return { index: emptyIndex, problem: result.why }
  const { index = emptyIndex, problem } = await readIndex(indexFile(folder))
  return { key: result.key, index, ...(problem === undefined ? {} : { problem }) }
}

/** What an index's entry holds: a folder with one file. */
export function indexFolder(folder: string): string {
  return join(folder, 'index')
}

export function indexFile(folder: string): string {
  return join(indexFolder(folder), 'index.json')
}

/** Where main leaves the index that it opened. */
export function openedIndexFile(folder: string): string {
  return join(folder, 'opened-index.json')
}

async function startSubstituter(options: OpenOptions): Promise<{ url: string; pid: number }> {
  const { substituter, client, folder, env } = options
  const token = randomBytes(16).toString('hex')
  await using output = await open(join(folder, 'substituter.log'), 'a', 0o600)
  const child = spawn(process.execPath, [...process.execArgv, substituter], {
    // It outlives this step. The runner ends it with the job, whose tracking id is in its environment.
    detached: true,
    cwd: folder,
    env: withoutInputs(env),
    stdio: ['ignore', output.fd, output.fd, 'ipc'],
  })
  try {
    const started = await new Promise<Started>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`its server ended with code ${code}`)))
      child.once('message', message => resolve(message as Started))
      const told: SubstituterOptions = { indexFile: openedIndexFile(folder), folder, client, token }
      child.send(told, error => error && reject(error))
    })
    if ('problem' in started) throw new Error(started.problem)
    return { url: `http://127.0.0.1:${started.port}/${token}?trusted=1&priority=1`, pid: child.pid ?? 0 }
  } finally {
    child.removeAllListeners()
    if (child.connected) child.disconnect()
    child.unref()
  }
}
