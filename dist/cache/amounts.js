import { sizeOf } from './model.js'
import { sizeInCache } from './size.js'

export const none = { paths: 0, bytes: 0 }

/** All of an index; the bytes are those of its packs, dead ones included. */
export function amountOf(index) {
  return { paths: index.paths.size, bytes: sizeOf(index) }
}

export function heldBy({ paths }) {
  const held = { built: none, source: none, upstream: none }
  for (const path of paths.values()) {
    const { paths: number, bytes } = held[path.origin]
    held[path.origin] = { paths: number + 1, bytes: bytes + sizeInCache(path) }
  }
  return held
}

/** What an index gained and lost; paths that moved from one pack to another are neither. */
export function difference(before, after) {
  const only = (one, other) => {
    const paths = one.paths
      .entries()
      .filter(([hash]) => !other.paths.has(hash))
      .toArray()
    return { paths: paths.length, bytes: paths.reduce((sum, [, path]) => sum + sizeInCache(path), 0) }
  }
  return { added: only(after, before), dropped: only(before, after) }
}
