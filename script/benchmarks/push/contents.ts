import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { partsBin, partsDebs, repository } from '../../parts/paths.ts'
import type { Contents } from '../contents.ts'

type Kind = {
  /** Where its part of all files ends, from 0 to 1. */
  readonly upTo: number
  /** Bytes of it that are taken. */
  readonly bytes: number
  readonly files: () => string[]
}

/** How much of what kind: in an image most is programs, then texts and scripts; some is compressed already. */
const kinds: readonly Kind[] = [
  { upTo: 0.6, bytes: 96e6, files: () => filesBelow(partsBin, /./) },
  {
    upTo: 0.9,
    bytes: 24e6,
    files: () => filesBelow(join(repository, 'node_modules'), /\.(js|ts|md|json)$/),
  },
  { upTo: 1, bytes: 12e6, files: () => filesBelow(partsDebs, /\.deb$/) },
]
/** No more of one file, so that no few large ones are everything. */
const mostOfOne = 4e6

/**
 * Contents of real files: each is a piece of Debian's programs, of the npm packages' texts, or of something compressed.
 * The same as long as these are.
 */
export function realContents(): Contents {
  const pools = kinds.map(({ upTo, bytes, files }) => ({ upTo, pool: poolOf(files(), bytes) }))
  return random => length => {
    const dice = random.next()
    const pool = pools.find(({ upTo }) => dice < upTo)?.pool ?? Buffer.alloc(1)
    const result = Buffer.allocUnsafe(length)
    // A file is one piece, unless it is larger than all there is.
    for (let at = 0; at < length; ) {
      const from = length - at < pool.length ? random.below(pool.length - (length - at)) : 0
      at += pool.copy(result, at, from)
    }
    return result
  }
}

function poolOf(files: readonly string[], bytes: number): Buffer {
  const pieces: Buffer[] = []
  let left = bytes
  for (const file of files) {
    if (left <= 0) break
    const piece = beginOf(file, Math.min(left, mostOfOne))
    pieces.push(piece)
    left -= piece.length
  }
  return Buffer.concat(pieces)
}

function beginOf(file: string, most: number): Buffer {
  if (statSync(file).size <= most) return readFileSync(file)
  const fd = openSync(file, 'r')
  try {
    const piece = Buffer.alloc(most)
    return piece.subarray(0, readSync(fd, piece, 0, most, 0))
  } finally {
    closeSync(fd)
  }
}

function filesBelow(folder: string, name: RegExp): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && name.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
}
