import { createHash } from 'node:crypto'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { constants, createZstdCompress } from 'node:zlib'
import { gzip } from '../gzip/gzip.js'

import { takingTurns } from '../image/archive/buffers.js'
import { damagedLayer } from '../image/damaged.js'
import { tarOf } from '../image/layer-tar.js'

import { isDiskFull, UserError } from '../util/errors.js'
import { formatBytes } from '../util/text.js'

/** As gzip and zstd themselves have it. */
export const defaultLevel = { gzip: 6, zstd: 3 }

/** Registries take layers of some 10 GB; what unpacks to more than this was made to never end. */
const mostBytes = 256 * 1024 ** 3

/**
 * Archives and compresses a layer into a new file; one that comes as a blob is only looked at. The layer is streamed,
 * and held against the digest that the image claims for it. Works synchronously where it can: for a thread of its own.
 * No file is left when this fails.
 * @param pool threads for gzip
 * @throws UserError when the layer is not what the image claims, cannot be read, or the disk is full
 */
export async function makeLayer(work, pool) {
  const { layer, file } = work
  if (layer.blob !== undefined) return await checkBlob(layer, layer.blob)
  try {
    return await writeLayer(work, pool)
  } catch (error) {
    rmSync(file, { force: true })
    if (isDiskFull(error)) throw await diskFull(layer, file, error)
    throw error
  }
}

async function writeLayer(work, pool) {
  const { layer, compression, level, file } = work
  const [tar, blob] = [createHash('sha256'), createHash('sha256')]
  const fd = openSync(file, 'wx', 0o600)
  let size = 0
  let open = true
  const write = chunk => {
    // The descriptor may be another file's by now.
    if (!open) throw new Error('the layer is not made any more')
    blob.update(chunk)
    size += chunk.length
    for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at)
  }
  try {
    const source = counted(tarOf(layer.source, takingTurns()), layer, tar)
    if (compression === 'zstd') await zstd(source, level, write)
    else if (pool !== undefined) await gzipAll(source, gzip(pool, { level, onChunk: write }))
    else throw new Error('there are no threads for gzip')
    const diffId = `sha256:${tar.digest('hex')}`
    if (layer.diffId !== undefined && diffId !== layer.diffId)
      throw damagedLayer(layer.diffId, `has the digest ${diffId}`)
    return { diffId, digest: `sha256:${blob.digest('hex')}`, size }
  } finally {
    open = false
    closeSync(fd)
  }
}

async function gzipAll(source, into) {
  for await (const chunk of source) await into.write(chunk)
  await into.end()
}

async function zstd(source, level, write) {
  const options = {
    // Node's default of 16 KiB costs a turn of the event loop each.
    chunkSize: 128 * 1024,
    params: { [constants.ZSTD_c_compressionLevel]: level },
  }
  const compressor = createZstdCompress(options)
  let failure
  const fail = error => {
    failure ??= { error }
  }
  const writing = (async () => {
    for await (const chunk of compressor) write(chunk)
  })().catch(fail)
  try {
    // One chunk is compressed while the next is read; then its memory is used again.
    let sent = Promise.resolve()
    for await (const chunk of source) {
      await sent
      const { promise, resolve, reject } = Promise.withResolvers()
      compressor.write(chunk, error => (error ? reject(error) : resolve()))
      promise.catch(fail)
      sent = promise
    }
    await sent
    compressor.end()
  } catch (error) {
    fail(error)
    compressor.destroy()
  }
  await writing
  if (failure !== undefined) throw failure.error
}

/** The registry looks whether the bytes are the blob's. That the blob is the layer is for us to see. */
async function checkBlob(layer, { digest, size }) {
  const tar = createHash('sha256')
  for await (const _ of counted(tarOf(layer.source, takingTurns()), layer, tar));
  const diffId = `sha256:${tar.digest('hex')}`
  if (diffId !== layer.diffId) throw damagedLayer(layer.diffId ?? digest, `has the digest ${diffId}`)
  return { diffId, digest, size }
}

/** Passes on what is read, and hashes it. */
async function* counted(source, { diffId, source: { kind } }, hash) {
  let size = 0
  for await (const chunk of source) {
    hash.update(chunk)
    size += chunk.length
    if (size > mostBytes) throw damagedLayer(diffId ?? kind, `unpacks to more than ${formatBytes(mostBytes)}`)
    yield chunk
  }
}

async function diskFull(layer, file, cause) {
  const directory = dirname(file)
  const { bavail, bsize } = await statfs(directory)
  return new UserError(
    `The disk is full: no room in ${directory} to compress the layer ${layer.diffId ?? layer.key}. ` +
      `${formatBytes(bavail * bsize)} are free there, and up to ${formatBytes(layer.size)} are needed.`,
    { advice: 'Free some space on this runner, or let it keep RUNNER_TEMP on a larger disk.', cause },
  )
}
