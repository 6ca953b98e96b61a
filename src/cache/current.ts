import type { Entries } from './entries.ts'
import { readIndex } from './index-file.ts'
import { type CacheName, indexPrefix } from './keys.ts'
import { merge } from './merge.ts'
import { type CacheIndex, emptyIndex } from './model.ts'
import { indexFolder, newestIndex, openedIndexFile } from './open.ts'

/**
 * What the cache holds now. Another job may have saved since this one opened it: then both are put together, so that
 * what either has learned lives on.
 * @returns `trouble`: a sentence about an index that was there and could not be used in full
 * @throws Error when the service does not say what there is: to save something then would hide what it has.
 */
export async function currentIndex(
  options: CacheName & {
    readonly folder: string
    /** Of the index that main opened. */
    readonly key: string | undefined
  },
  store: Entries,
): Promise<{ readonly index: CacheIndex; readonly key: string | undefined; readonly trouble?: string }> {
  const { folder, key } = options
  const newest = await newestIndex(options, store)
  const { index: opened = emptyIndex } = key === undefined ? {} : await readIndex(openedIndexFile(folder))
  if (newest.problem === undefined) {
    const index = key === undefined || key === newest.key ? newest.index : merge(newest.index, opened)
    return { index, key: newest.key }
  }
  if (newest.key === undefined) {
    // An index that is there and cannot be had is damaged. Otherwise the service is in trouble, and what would be put
    // together without the newest index would take that one out of sight.
    const prefix = indexPrefix(options)
    const found = await store.find(indexFolder(folder), prefix, [prefix])
    if (found.outcome !== 'restored') throw new Error(newest.problem)
    // Main had opened one, and another job has saved since: what that job added would be lost.
    if (key !== undefined && found.key !== key) throw new Error(newest.problem)
  }
  const trouble = `The index was damaged: ${newest.problem}.`
  return { index: merge(newest.index, opened), key: newest.key ?? key, trouble }
}

/** The newest index if it is another one than `known`, the key that it had before; undefined when it is not or cannot be had. */
export async function newerIndex(
  options: CacheName & { readonly folder: string },
  store: Entries,
  known: string | undefined,
): Promise<CacheIndex | undefined> {
  const prefix = indexPrefix(options)
  const found = await store.find(indexFolder(options.folder), prefix, [prefix])
  if (found.outcome !== 'restored' || found.key === known) return undefined
  const newest = await newestIndex(options, store)
  return newest.problem === undefined ? newest.index : undefined
}
