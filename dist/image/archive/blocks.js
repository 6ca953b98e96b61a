import { closeSync, openSync, readSync } from 'node:fs'
import { UserError } from '../../util/errors.js'
import { fsPath } from '../../util/raw-path.js'
import { chunkSize } from './buffers.js'
import { quoted, readable } from './tree.js'

export const blockSize = 512

/** Bytes from the end of contents to the end of their last block. */
export function padding(size, multiple = blockSize) {
  return (multiple - (size % multiple)) % multiple
}

/**
 * The bytes of an archive, in chunks of at most 1 MiB.
 * @param root raw; put before each path where the file system is asked
 * @param multiple of how many bytes the archive shall consist
 * @throws UserError when a file cannot be read or is not as long as `size` says
 */
export function* writeParts(parts, root, multiple, buffers) {
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
export function sizeOfParts(parts, multiple) {
  let total = 0
  for (const { header, size } of parts) total += header.length + size + padding(size)
  return total + endOf(total, multiple)
}

/** The end mark, two blocks of zeros, and more zeros. */
function endOf(total, multiple) {
  return 2 * blockSize + padding(total + 2 * blockSize, multiple)
}

class Chunk {
  #buffers
  #bytes
  #length = 0

  constructor(buffers) {
    this.#buffers = buffers
    this.#bytes = buffers()
  }

  get room() {
    return chunkSize - this.#length
  }

  take() {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = this.#buffers()
    this.#length = 0
    return taken
  }

  add(bytes) {
    bytes.copy(this.#bytes, this.#length)
    this.#length += bytes.length
  }

  addZeros(count) {
    this.#bytes.fill(0, this.#length, this.#length + count)
    this.#length += count
  }

  /** @param left how many bytes the file should still have; one more is asked for, which must not be there */
  read(fd, left, path) {
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
