import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import type { Layer } from '../image/model.ts'
import type { Digest } from '../util/digest.ts'
import { isDiskFull, UserError } from '../util/errors.ts'
import { formatBytes } from '../util/text.ts'
import type { Compression } from './model.ts'

/** As gzip and zstd themselves have it. */
export const defaultLevel: Readonly<Record<Compression, number>> = { gzip: 6, zstd: 3 }

export const layerMediaType: Readonly<Record<Compression, string>> = {
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
}

/**
 * Compresses a layer into a new file that only we can read. The layer is streamed, and held against the size and
 * digest that the image claims for it. No file is left when this fails.
 * @returns digest and size of what was written
 * @throws UserError when the layer is not what the image claims, or the disk is full
 */
export async function compressLayer(
  layer: Layer,
  compression: Compression,
  level: number,
  file: string,
  signal?: AbortSignal,
): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  try {
    await pipeline(
      layer.open(),
      source => verified(source, layer),
      compressor(compression, level, layer.size),
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          hash.update(chunk)
          size += chunk.length
          yield chunk
        }
      },
      createWriteStream(file, { flags: 'wx', mode: 0o600 }),
      { signal },
    )
    return { digest: `sha256:${hash.digest('hex')}`, size }
  } catch (error) {
    await rm(file, { force: true })
    if (isDiskFull(error)) throw await diskFull(layer, file, error)
    throw error
  }
}

/** Passes on what is read if it is the layer that the image claims. */
async function* verified(source: AsyncIterable<Buffer>, layer: Layer): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of source) {
    hash.update(chunk)
    size += chunk.length
    // Whoever claims one size and gives another may also never end.
    if (size > layer.size) throw lies(layer, `is longer than the ${layer.size} bytes that it should have`)
    yield chunk
  }
  if (size < layer.size) throw lies(layer, `ends after ${size} of ${layer.size} bytes`)
  const digest = `sha256:${hash.digest('hex')}`
  if (digest !== layer.diffId) throw lies(layer, `has the digest ${digest}`)
}

function compressor(compression: Compression, level: number, size: number): Transform {
  const options = {
    // Node's default of 16 KiB costs a turn of the event loop each.
    chunkSize: 128 * 1024,
    // Node merges the end of the input with a chunk that still waits in the queue, and zstd then writes other bytes
    // than for the same chunk and an end of its own. With this mark no chunk waits: same input, same bytes.
    writableHighWaterMark: 1,
  }
  return compression === 'gzip'
    ? createGzip({ ...options, level })
    : createZstdCompress({
        ...options,
        pledgedSrcSize: size,
        params: { [constants.ZSTD_c_compressionLevel]: level },
      })
}

function lies(layer: Layer, how: string): UserError {
  return new UserError(`The image is damaged: its layer ${layer.diffId} ${how}.`, {
    advice: 'Build the image again. If it stays so, what builds it writes wrong sizes or digests into it.',
  })
}

async function diskFull(layer: Layer, file: string, cause: unknown): Promise<UserError> {
  const directory = dirname(file)
  const { bavail, bsize } = await statfs(directory)
  return new UserError(
    `The disk is full: no room in ${directory} to compress the layer ${layer.diffId}. ` +
      `${formatBytes(bavail * bsize)} are free there, and up to ${formatBytes(layer.size)} are needed.`,
    { advice: 'Free some space on this runner, or let it keep RUNNER_TEMP on a larger disk.', cause },
  )
}
