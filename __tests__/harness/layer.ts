import { closeSync, openSync, readSync } from 'node:fs'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import type { Layer, LayerSource } from '../../src/image/model.ts'

/** A file's part as it is, read in the plainest way. */
export function bytesOfPart({ file, offset, length }: Extract<LayerSource, { kind: 'file' }>): Buffer {
  const descriptor = typeof file === 'number' ? file : openSync(file, 'r')
  try {
    const bytes = Buffer.alloc(length)
    let done = 0
    while (done < length) {
      const read = readSync(descriptor, bytes, done, length - done, offset + done)
      if (read === 0) throw new Error(`${file} ends after ${offset + done} bytes`)
      done += read
    }
    return bytes
  } finally {
    if (typeof file === 'string') closeSync(descriptor)
  }
}

/** The tar of a layer that is in a file. */
export function bytesOfLayer({ source }: Layer): Buffer {
  if (source.kind !== 'file') throw new Error(`a layer of the kind ${source.kind} is in no file`)
  const bytes = bytesOfPart(source)
  if (source.packing === undefined) return bytes
  return source.packing === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes)
}
