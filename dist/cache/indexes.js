import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { readIndex } from './index-file.js'
import { indexPrefix } from './keys.js'
import { noLineage, readLineage } from './lineage.js'
import { merge } from './merge.js'
import { emptyIndex } from './model.js'

export function ownPlace(options) {
  return { folder: indexFolder(options.folder), prefixes: [indexPrefix(options)] }
}

/** Undefined for a branch that has none: the default branch. */
export function basePlace({ folder, ref, bases, ...name }) {
  const others = bases.filter(base => base !== ref)
  if (others.length === 0) return undefined
  const prefixes = others.map(base => indexPrefix({ ...name, ref: base }))
  return { folder: join(folder, 'base', 'index'), prefixes }
}

/** Brings the newest index of a place, or the one that is named. Never throws. */
export async function fetchIndex({ folder, prefixes }, store, key) {
  await rm(folder, { recursive: true, force: true })
  const [first = ''] = prefixes
  const result = await (key === undefined
    ? store.restore(folder, first, prefixes)
    : store.restore(folder, key))
  const nothing = { key: undefined, index: emptyIndex, lineage: noLineage }
  if (result.outcome === 'missing') return { ...nothing, problem: undefined }
  if (result.outcome === 'failed') return { ...nothing, problem: result.why }
  const { index = emptyIndex, problem } = await readIndex(join(folder, 'index.json'))
  return { key: result.key, index, lineage: await readLineage(folder), problem }
}

/** What a ref's own index and its base's know together. */
export function together(own, base) {
  if (base?.key === undefined) return own.index
  if (own.key === undefined) return base.index
  // What it dropped of the base's it dropped for its limit: to bring that back would mean to drop it in every run.
  return own.lineage.base === base.key ? own.index : merge(own.index, base.index)
}

/** What an index's entry holds: a folder with two files. */
export function indexFolder(folder) {
  return join(folder, 'index')
}

export function indexFile(folder) {
  return join(indexFolder(folder), 'index.json')
}

/** Where main leaves what it opened. */
export function openedIndexFile(folder) {
  return join(folder, 'opened-index.json')
}
