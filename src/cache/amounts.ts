import { type CacheIndex, type Origin, sizeOf } from './model.ts'
import { sizeInCache } from './size.ts'

/** Store paths, and the bytes that they take up in the cache. */
export type Amount = { readonly paths: number; readonly bytes: number }

/** By how paths came to be. */
export type Held = Readonly<Record<Origin, Amount>>

export const none: Amount = { paths: 0, bytes: 0 }

/** All of an index; the bytes are those of its packs, dead ones included. */
export function amountOf(index: CacheIndex): Amount {
  return { paths: index.paths.size, bytes: sizeOf(index) }
}

export function heldBy({ paths }: CacheIndex): Held {
  const held = { built: none, source: none, upstream: none }
  for (const path of paths.values()) {
    const { paths: number, bytes } = held[path.origin]
    held[path.origin] = { paths: number + 1, bytes: bytes + sizeInCache(path) }
  }
  return held
}

/** What an index gained and lost; paths that moved from one pack to another are neither. */
export function difference(
  before: CacheIndex,
  after: CacheIndex,
): { readonly added: Amount; readonly dropped: Amount } {
  const only = (one: CacheIndex, other: CacheIndex): Amount => {
    const paths = one.paths
      .entries()
      .filter(([hash]) => !other.paths.has(hash))
      .toArray()
    return { paths: paths.length, bytes: paths.reduce((sum, [, path]) => sum + sizeInCache(path), 0) }
  }
  return { added: only(after, before), dropped: only(before, after) }
}
