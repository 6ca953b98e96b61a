import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { withoutInputs } from '../util/environment.ts'
import { messageOf } from '../util/errors.ts'
import { count, formatBytes } from '../util/text.ts'
import { type EntriesOptions, entries, hasCacheService } from './entries.ts'
import { writeIndex } from './index-writing.ts'
import {
  basePlace,
  fetchIndex,
  type IndexOptions,
  indexFile,
  openedIndexFile,
  ownPlace,
  together,
} from './indexes.ts'
import { type CacheIndex, emptyIndex, sizeOf } from './model.ts'
import type { Started, SubstituterOptions } from './substituter.ts'

export type OpenOptions = Omit<EntriesOptions, 'timeout'> &
  IndexOptions & {
    /** The built `substituter.js`. */
    readonly substituter: string
  }

export type OpenedCache = {
  /** `empty`: nothing can be taken from it in this run, for whatever reason. `off`: there is no service. */
  readonly status: 'opened' | 'empty' | 'off'
  readonly index: CacheIndex
  /** Of the entry with the index of the job's own ref. */
  readonly key?: string
  /** Of the entry with that of the branch it comes from. */
  readonly base?: string
  /** The process that serves it: what Nix is given as a substituter, and how `stopSubstituter` finds it. */
  readonly server?: { readonly url: string; readonly pid: number } | undefined
}

/** Milliseconds. An index is small: a service that does not give it by then would only be in the way. */
const indexTimeout = 60_000

/**
 * Fetches the newest indexes of the job's ref and of the branch that it comes from, and starts the process that serves it to Nix. A service that does not answer, and an index
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
  const { log } = options
  const { index, keys, problem } = await openIndexes(options)
  if (problem !== undefined) {
    const what = Object.keys(keys).length === 0 ? 'cannot be read' : 'is damaged'
    log.warning(`The store cache ${what}: ${problem}. The build goes on without what is missing.`)
  }
  const found = { index, ...keys }
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

/** Both at once: a branch is not slower than the default branch, which has one only. */
async function openIndexes(options: OpenOptions): Promise<{
  readonly index: CacheIndex
  readonly keys: Pick<OpenedCache, 'key' | 'base'>
  readonly problem: string | undefined
}> {
  const store = entries({ ...options, timeout: indexTimeout })
  const [ownAt, baseAt] = [ownPlace(options), basePlace(options)]
  const [own, base] = await Promise.all([fetchIndex(ownAt, store), baseAt && fetchIndex(baseAt, store)])
  let index = together(own, base)
  const file = openedIndexFile(options.folder)
  // Post fetches the indexes that are newest then, and compares. An entry of somebody else's need not have the file.
  if (index === own.index) await rename(indexFile(options.folder), file).catch(() => {})
  else index = await writeIndex(file, index)
  const keys = {
    ...(own.key === undefined ? {} : { key: own.key }),
    ...(base?.key === undefined ? {} : { base: base.key }),
  }
  return { index, keys, problem: own.problem ?? base?.problem }
}

/**
 * V8's space for young objects, in MiB. An index is read once and then lives on: with the usual 16 the process keeps
 * a third more memory for the length of the job, and reads no faster.
 */
const smallNursery = '--max-semi-space-size=4'

async function startSubstituter(options: OpenOptions): Promise<{ url: string; pid: number }> {
  const { substituter, client, folder, env } = options
  const token = randomBytes(16).toString('hex')
  await using output = await open(join(folder, 'substituter.log'), 'a', 0o600)
  const child = spawn(process.execPath, [smallNursery, substituter], {
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
