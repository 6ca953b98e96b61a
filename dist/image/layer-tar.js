import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { archiveNix2containerLayer } from './archive/nix2container-layer.js'
import { archiveStoreLayer } from './archive/store-layer.js'
import { unpack, unpackingError } from './compression.js'

const chunkSize = 512 * 1024

/**
 * The uncompressed tar of a layer. Reads synchronously, which is by far the fastest for thousands of small files: for
 * a thread of its own. No chunk is used again after it was given.
 * @throws UserError when what it is made from cannot be read, or is damaged
 */
export async function* tarOf(source) {
  if (source.kind === 'store') return yield* archiveStoreLayer(source.layer)
  if (source.kind === 'nix2container') return yield* archiveNix2containerLayer(source.paths)
  const { packing } = source
  if (packing === undefined) return yield* bytesOf(source)
  try {
    yield* unpack(Readable.from(bytesOf(source), { objectMode: false }), packing)
  } catch (error) {
    throw unpackingError(error, typeof source.file === 'string' ? source.file : 'a layer')
  }
}

/** The bytes of a part of a file. */
export function* bytesOf(part) {
  const { file, offset, length } = part
  const fd = typeof file === 'number' ? file : openSync(file, 'r')
  try {
    for (let at = 0; at < length; ) {
      const chunk = Buffer.allocUnsafeSlow(Math.min(chunkSize, length - at))
      const read = readSync(fd, chunk, 0, chunk.length, offset + at)
      if (read === 0) throw new Error(`${file} became shorter while it was read: ${fstatSync(fd).size} bytes`)
      at += read
      yield chunk.subarray(0, read)
    }
  } finally {
    if (typeof file === 'string') closeSync(fd)
  }
}
