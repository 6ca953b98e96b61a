import { closeSync, openSync, readSync } from 'node:fs'
import { UserError } from '../../util/errors.ts'
import { fsPath } from '../../util/raw-path.ts'
import { type Buffers, chunkSize } from './buffers.ts'
import { quoted, readable } from './tree.ts'

/** A member of an archive to be: its header, and the file with its contents. */
export type Part = {
  /** Whole blocks, with what extends the header. */
  readonly header: Buffer
  /** Bytes of contents. */
  readonly size: number
  /** Raw path of the contents, if there are any. */
  readonly path: string
}

export const blockSize = 512

/** Bytes from the end of contents to the end of their last block. */
export function padding(size: number, multiple = blockSize): number {
  return (multiple - (size % multiple)) % multiple
}

/**
 * The bytes of an archive, in chunks of at most 1 MiB.
 * @param root raw; put before each path where the file system is asked
 * @param multiple of how many bytes the archive shall consist
 * @throws UserError when a file cannot be read or is not as long as `size` says
 */
export function* writeParts(
  parts: Iterable<Part>,
  root: string,
  multiple: number,
  buffers: Buffers,
): Generator<Uint8Array> {
  let total = 0
  const chunk = new Chunk(buffers)
  for (const { header, size, path } of parts) {
    if (chunk.room < header.length) yield chunk.take()
    chunk.add(header)
    total += header.length + size + padding(size)
    if (size === 0) continue
    const fd = readable(path, () => openSync(fsPath(root + path), 'r'))
    try {
      for (let left = size; left > 0; ) {
        if (chunk.room === 0) yield chunk.take()
        left -= chunk.read(fd, left, path)
      }
    } finally {
      closeSync(fd)
    }
    if (chunk.room < padding(size)) yield chunk.take()
    chunk.addZeros(padding(size))
  }
  const end = endOf(total, multiple)
  if (chunk.room < end) yield chunk.take()
  chunk.addZeros(end)
  yield chunk.take()
}

/** Bytes that `writeParts` gives. Contents are not looked at. */
export function sizeOfParts(parts: Iterable<Part>, multiple: number): number {
  let total = 0
  for (const { header, size } of parts) total += header.length + size + padding(size)
  return total + endOf(total, multiple)
}

/** The end mark, two blocks of zeros, and more zeros. */
function endOf(total: number, multiple: number): number {
  return 2 * blockSize + padding(total + 2 * blockSize, multiple)
}

class Chunk {
  readonly #buffers: Buffers
  #bytes: Buffer
  #length = 0

  constructor(buffers: Buffers) {
    this.#buffers = buffers
    this.#bytes = buffers()
  }

  get room(): number {
    return chunkSize - this.#length
  }

  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = this.#buffers()
    this.#length = 0
    return taken
  }

  add(bytes: Buffer): void {
    bytes.copy(this.#bytes, this.#length)
    this.#length += bytes.length
  }

  addZeros(count: number): void {
    this.#bytes.fill(0, this.#length, this.#length + count)
    this.#length += count
  }

  /** @param left how many bytes the file should still have; one more is asked for, which must not be there */
  read(fd: number, left: number, path: string): number {
    const wanted = Math.min(this.room, left + 1)
    const read = readable(path, () => readSync(fd, this.#bytes, this.#length, wanted, null))
    if (read === 0 || read > left)
      throw new UserError(`${quoted(path)} changed its size while it was read for the image.`, {
        advice: 'A store path must stay as Nix made it: see that nothing writes to the store meanwhile.',
      })
    this.#length += read
    return read
  }
}
