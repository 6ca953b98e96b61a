import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../util/errors.js'
import { count, formatBytes } from '../util/text.js'
import { entries, hasCacheService, withoutInputs } from './entries.js'
import { readIndex } from './index-file.js'
import { indexPrefix } from './keys.js'
import { emptyIndex, sizeOf } from './model.js'

/** Milliseconds. An index is small: a service that does not give it by then would only be in the way. */
const indexTimeout = 60_000

/**
 * Fetches the newest index and starts the process that serves it to Nix. A service that does not answer, and an index
 * that is damaged or of another version, are an empty cache. Never throws.
 */
export async function openCache(options) {
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

async function restoreAndServe(options) {
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
export async function newestIndex({ folder, ...name }, store) {
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
export function indexFolder(folder) {
  return join(folder, 'index')
}

export function indexFile(folder) {
  return join(indexFolder(folder), 'index.json')
}

/** Where main leaves the index that it opened. */
export function openedIndexFile(folder) {
  return join(folder, 'opened-index.json')
}

async function startSubstituter(options) {
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
    const started = await new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', code => reject(new Error(`its server ended with code ${code}`)))
      child.once('message', message => resolve(message))
      const told = { indexFile: openedIndexFile(folder), folder, client, token }
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
