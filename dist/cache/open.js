import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { withoutInputs } from '../util/environment.js'
import { messageOf } from '../util/errors.js'
import { count, formatBytes } from '../util/text.js'
import { entries, hasCacheService } from './entries.js'
import { writeIndex } from './index-writing.js'
import { basePlace, fetchIndex, indexFile, openedIndexFile, ownPlace, together } from './indexes.js'
import { emptyIndex, sizeOf } from './model.js'

/** Milliseconds. An index is small: a service that does not give it by then would only be in the way. */
const indexTimeout = 60_000

/**
 * Fetches the newest indexes of the job's ref and of the branch that it comes from, and starts the process that serves it to Nix. A service that does not answer, and an index
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
async function openIndexes(options) {
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

async function startSubstituter(options) {
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
