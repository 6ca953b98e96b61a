import { reach } from '../closure.ts'
import { type CachedPath, type CacheIndex, hashOf } from '../model.ts'
import { sizeInCache } from '../size.ts'
import { savedSeconds } from '../value.ts'
import type { Candidate, PlanInput } from './model.ts'

/** A pack of the index, with what it holds that is named. */
export type Held = {
  readonly hash: string
  /** Bytes, dead ones included. */
  readonly size: number
  readonly created: number
  readonly members: readonly Item[]
  /** Bytes that its members would take up in another pack. */
  readonly alive: number
}

/** A path that is kept or not: one of the index, or one that could be added. */
export type Item = {
  readonly path: CachedPath
  readonly hash: string
  /** Bytes that it takes up by itself. */
  readonly size: number
  /** Seconds: see `Worth`. */
  readonly value: number
  readonly rank: Rank
  readonly references: readonly Item[]
  /** Whether something that it refers to is nowhere. */
  readonly broken: boolean
  /** Undefined for a candidate. */
  readonly pack: Held | undefined
  readonly candidate: Candidate | undefined
}

/** 2: this run used or made it. 1: it may have. 0: it did not. */
export type Rank = 0 | 1 | 2

export type Items = { readonly items: readonly Item[]; readonly packs: readonly Held[] }

/**
 * The index as this run leaves it before anything is dropped: what was used, and what that refers to, is as young as
 * the run.
 */
export function withUses({ index, candidates, used, now }: PlanInput): CacheIndex {
  const names = [...used].flatMap(hash => index.paths.get(hash)?.name ?? [])
  const reached = reachIn(index, [...names, ...candidates.flatMap(({ path }) => path.references)])
  const paths = new Map<string, CachedPath>()
  for (const [hash, path] of index.paths) {
    // A clock that was wrong once must not keep a path for ever.
    const lastUse = reached.has(path.name) ? now : Math.min(path.lastUse, now - 1)
    paths.set(hash, lastUse === path.lastUse ? path : { ...path, lastUse })
  }
  return { ...index, paths }
}

/** @param index one that `withUses` gave */
export function itemsOf(
  index: CacheIndex,
  { candidates, unknown = new Set(), now, worth = savedSeconds }: PlanInput,
): Items {
  const maybe = reachIn(
    index,
    [...unknown].flatMap(hash => index.paths.get(hash)?.name ?? []),
  )
  const paths = [...index.paths.values(), ...candidates.map(({ path }) => path)]
  const values = worth(paths, now)
  const packs = new Map(
    index.packs
      .entries()
      .map(([hash, { size, created }]) => [hash, { hash, size, created, members: [] as Item[], alive: 0 }]),
  )
  // By name: to cut the hash out of every reference takes longer than all the rest.
  const items = new Map<string, Mutable>()
  for (const [at, path] of paths.entries()) {
    const candidate = at < index.paths.size ? undefined : candidates[at - index.paths.size]
    const pack = candidate === undefined ? packs.get(path.pack) : undefined
    const item: Mutable = {
      path,
      hash: hashOf(path.name),
      size: candidate?.size ?? sizeInCache(path),
      value: values[at] ?? 0,
      rank: candidate !== undefined || path.lastUse >= now ? 2 : maybe.has(path.name) ? 1 : 0,
      references: [],
      broken: false,
      pack,
      candidate,
    }
    items.set(path.name, item)
    if (pack === undefined) continue
    pack.members.push(item)
    pack.alive += item.size
  }
  for (const item of items.values()) {
    for (const name of item.path.references) {
      const other = items.get(name)
      if (other === undefined) item.broken ||= !index.elsewhere.has(name)
      else if (other !== item) item.references.push(other)
    }
  }
  return { items: [...items.values()], packs: [...packs.values()] }
}

type Mutable = Omit<Item, 'references' | 'broken'> & { readonly references: Item[]; broken: boolean }

export function bytesOf(items: Iterable<{ readonly size: number }>): number {
  let sum = 0
  for (const { size } of items) sum += size
  return sum
}

/** Names of paths of the index. */
function reachIn(index: CacheIndex, names: Iterable<string>): Set<string> {
  const byName = new Map<string, CachedPath>()
  for (const path of index.paths.values()) byName.set(path.name, path)
  return reach(names, name => byName.get(name)?.references)
}
