import { readIndex } from './index-file.js'
import { indexPrefix } from './keys.js'
import { merge } from './merge.js'
import { emptyIndex } from './model.js'
import { indexFolder, newestIndex, openedIndexFile } from './open.js'

/**
 * What the cache holds now. Another job may have saved since this one opened it: then both are put together, so that
 * what either has learned lives on.
 * @returns `trouble`: a sentence about an index that was there and could not be used in full
 * @throws Error when the service does not say what there is: to save something then would hide what it has.
 */
export async function currentIndex(options, store) {
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
export async function newerIndex(options, store, known) {
  const prefix = indexPrefix(options)
  const found = await store.find(indexFolder(options.folder), prefix, [prefix])
  if (found.outcome !== 'restored' || found.key === known) return undefined
  const newest = await newestIndex(options, store)
  return newest.problem === undefined ? newest.index : undefined
}
