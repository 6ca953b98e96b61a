import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Entries } from './entries.ts'
import { readIndex } from './index-file.ts'
import { type CacheName, type IndexName, indexPrefix } from './keys.ts'
import { type Lineage, noLineage, readLineage } from './lineage.ts'
import { merge } from './merge.ts'
import { type CacheIndex, emptyIndex } from './model.ts'

/** Whose indexes a job works with. */
export type Refs = {
  /** The ref whose index this job continues. */
  readonly ref: string
  /**
   * Branches whose indexes it may read too: a pull request's base, the default branch. The first one that has an index
   * counts: what the others know, its own jobs have read.
   */
  readonly bases: readonly string[]
}

export type IndexOptions = CacheName &
  Refs & {
    /** The action's own folder in RUNNER_TEMP. */
    readonly folder: string
  }

/** An index as an entry has it. */
export type FoundIndex = {
  /** Of the entry, also when what it holds cannot be used. */
  readonly key: string | undefined
  /** The empty one when it cannot be used. */
  readonly index: CacheIndex
  readonly lineage: Lineage
  readonly problem: string | undefined
}

/** The two places that a job's knowledge comes from. */
export type Place = {
  /** Where the entry is brought to. Its last part is part of the entry's identity. */
  readonly folder: string
  /** What the keys begin with, in the order in which they are looked for. */
  readonly prefixes: readonly string[]
}

export function ownPlace(options: Omit<IndexOptions, 'bases'>): Place {
  return { folder: indexFolder(options.folder), prefixes: [indexPrefix(options)] }
}

/** Undefined for a branch that has none: the default branch. */
export function basePlace({ folder, ref, bases, ...name }: IndexOptions): Place | undefined {
  const others = bases.filter(base => base !== ref)
  if (others.length === 0) return undefined
  const prefixes = others.map(base => indexPrefix({ ...name, ref: base } satisfies IndexName))
  return { folder: join(folder, 'base', 'index'), prefixes }
}

/** Brings the newest index of a place, or the one that is named. Never throws. */
export async function fetchIndex(
  { folder, prefixes }: Place,
  store: Entries,
  key?: string,
): Promise<FoundIndex> {
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
export function together(own: FoundIndex, base: FoundIndex | undefined): CacheIndex {
  if (base?.key === undefined) return own.index
  if (own.key === undefined) return base.index
  // What it dropped of the base's it dropped for its limit: to bring that back would mean to drop it in every run.
  return own.lineage.base === base.key ? own.index : merge(own.index, base.index)
}

/** What an index's entry holds: a folder with two files. */
export function indexFolder(folder: string): string {
  return join(folder, 'index')
}

export function indexFile(folder: string): string {
  return join(indexFolder(folder), 'index.json')
}

/** Where main leaves what it opened. */
export function openedIndexFile(folder: string): string {
  return join(folder, 'opened-index.json')
}
