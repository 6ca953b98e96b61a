import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { fresh } from './archive/buffers.js'
import { archiveNix2containerLayer } from './archive/nix2container-layer.js'
import { archiveStoreLayer } from './archive/store-layer.js'
import { unpack, unpackingError } from './compression.js'

/**
 * The uncompressed tar of a layer. Reads synchronously, which is by far the fastest for thousands of small files: for
 * a thread of its own.
 * @param buffers memory for the chunks
 * @throws UserError when what it is made from cannot be read, or is damaged
 */
export async function* tarOf(source, buffers = fresh) {
  if (source.kind === 'store') return yield* archiveStoreLayer(source.layer, '', buffers)
  if (source.kind === 'nix2container') return yield* archiveNix2containerLayer(source.paths, '', buffers)
  const { packing } = source
  if (packing === undefined) return yield* bytesOf(source, buffers)
  try {
    yield* unpack(Readable.from(bytesOf(source), { objectMode: false }), packing)
  } catch (error) {
    throw unpackingError(error, typeof source.file === 'string' ? source.file : 'a layer')
  }
}

/** The bytes of a part of a file. */
export function* bytesOf(part, buffers = fresh) {
  const { file, offset, length } = part
  const fd = typeof file === 'number' ? file : openSync(file, 'r')
  try {
    for (let at = 0; at < length; ) {
      const chunk = buffers().subarray(0, length - at)
      const read = readSync(fd, chunk, 0, chunk.length, offset + at)
      if (read === 0) throw new Error(`${file} became shorter while it was read: ${fstatSync(fd).size} bytes`)
      at += read
      yield chunk.subarray(0, read)
    }
  } finally {
    if (typeof file === 'string') closeSync(fd)
  }
}
