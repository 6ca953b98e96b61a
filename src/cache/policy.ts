import { count, formatBytes, formatSeconds } from '../util/text.ts'
import { closeReferences, reach } from './closure.ts'
import { type CachedPath, type CacheIndex, hashOf, sizeOf } from './model.ts'

/** A path that could be added, compressed and measured; the pack that will hold it is not known yet. */
export type Candidate = {
  readonly path: CachedPath
  /** Bytes that it would take up in the cache. */
  readonly size: number
}

/** What is kept or dropped as one: a pack, or a path that is in none yet. */
export type Unit = { readonly size: number; readonly paths: readonly CachedPath[] }

/** What a unit is worth; more is kept first. It may look at all that the index knows of the paths. */
export type Rank = (unit: Unit, now: number) => number

/** A pack is worth as much as the path in it that was used last. */
export const leastRecentlyUsed: Rank = ({ paths }) =>
  paths.reduce((latest, { lastUse }) => Math.max(latest, lastUse), 0)

export type PlanInput = {
  readonly index: CacheIndex
  /** Whatever a candidate refers to is in the index, another candidate, or in `index.elsewhere`. */
  readonly candidates: readonly Candidate[]
  /** The hashes of what this run used of the index; what they refer to counts as used too. */
  readonly used: ReadonlySet<string>
  /**
   * The hashes of what this run may have used, as far as anybody can tell: kept like what was used, but without
   * becoming any younger. In a store that outlives the job a path shows no trace of its use. Closed under references,
   * as far as they are in the index. @default none
   */
  readonly unknown?: ReadonlySet<string>
  /** Seconds since the epoch. */
  readonly now: number
  /** Bytes that all packs together may take up. */
  readonly limit: number
  /** @default leastRecentlyUsed */
  readonly rank?: Rank
}

export type Plan = {
  /** What is left of the index, with its uses brought up to date; the candidates are not in it. */
  readonly index: CacheIndex
  /** Packs that are not named any more. */
  readonly dropped: ReadonlySet<string>
  readonly add: readonly Candidate[]
  readonly leftOut: readonly Candidate[]
  /** Bytes of the packs that are kept and of what is added. */
  readonly total: number
  /** Sentences for people: what the limit has cost. */
  readonly reasons: readonly string[]
}

/** Bytes that candidates can get at most, whatever they are: the packs that this run used stay. */
export function roomForNew({ index, used, limit }: Pick<PlanInput, 'index' | 'used' | 'limit'>): number {
  const packs = new Set([...used].flatMap(hash => index.paths.get(hash)?.pack ?? []))
  return [...packs].reduce((room, pack) => room - (index.packs.get(pack)?.size ?? 0), limit)
}

type Entry = Unit & { readonly id: string; readonly candidate: boolean; readonly used: boolean }

/**
 * Decides what the cache holds after this run: at most `limit` bytes, closed under references. What this run used
 * comes first, in the order of `rank`, and only when all of that has its place comes what it did not use. A pack
 * frees its bytes only as a whole, so it is kept or dropped as a whole; a path in a kept pack is unnamed only when it
 * refers to something that is gone. Pure.
 */
export function plan(input: PlanInput): Plan {
  const index = withUses(input)
  const entries = entriesOf(input, index)
  const refused = new Set<Entry>()
  for (;;) {
    const { chosen, complete } = choose(entries, refused, input)
    const { paths, left, emptied } = settle(chosen, index.elsewhere)
    // With something used left out, what is kept must at least be good for something that was used.
    const useless = complete ? [] : left.filter(entry => !entry.candidate && !isUsed(entry, input))
    const wrong = [...emptied, ...useless.flatMap(({ id }) => chosen.find(entry => entry.id === id) ?? [])]
    if (wrong.length === 0) return describe(input, resultOf(input, index, left, paths))
    // They would only take up room that others can use.
    for (const entry of wrong) refused.add(entry)
  }
}

function entriesOf(input: PlanInput, index: CacheIndex): Entry[] {
  const byPack = Map.groupBy(index.paths.values(), path => path.pack)
  const packs = [...index.packs].map(([id, { size, created }]) => {
    const paths = byPack.get(id) ?? []
    return { id, size, created, paths, candidate: false, used: isUsed({ paths }, input) }
  })
  // What is younger refers to what is older.
  const oldestFirst = packs.toSorted((a, b) => a.created - b.created)
  const fresh = input.candidates.map(({ path, size }) => {
    return { id: hashOf(path.name), size, paths: [path], candidate: true, used: true }
  })
  return [...oldestFirst, ...fresh]
}

function isUsed({ paths }: Pick<Unit, 'paths'>, { now, unknown = new Set() }: PlanInput): boolean {
  return paths.some(({ name, lastUse }) => lastUse >= now || unknown.has(hashOf(name)))
}

/** Takes entries in order as long as they fit. `complete`: nothing used had to be left out. */
function choose(
  entries: readonly Entry[],
  refused: ReadonlySet<Entry>,
  { limit, now, rank = leastRecentlyUsed }: PlanInput,
): { readonly chosen: readonly Entry[]; readonly complete: boolean } {
  const chosen = new Set<Entry>()
  const lacking = new Set<string>()
  let room = limit
  const take = (some: readonly Entry[]): boolean => {
    const ranked = some.map(entry => ({ entry, rank: rank(entry, now) }))
    // The sort is stable: of equal worth, packs come before candidates.
    for (const { entry } of ranked.toSorted((a, b) => b.rank - a.rank)) {
      const { candidate, paths, size } = entry
      const broken = candidate && paths.some(path => path.references.some(name => lacking.has(hashOf(name))))
      if (broken || refused.has(entry) || size > room) {
        for (const { name } of paths) lacking.add(hashOf(name))
        continue
      }
      chosen.add(entry)
      room -= size
    }
    return some.every(entry => chosen.has(entry))
  }
  const complete = take(entries.filter(({ used }) => used))
  if (complete) take(entries.filter(({ used }) => !used))
  return { chosen: [...chosen], complete }
}

/**
 * Takes out of what was chosen the paths whose references were not.
 * @returns the paths that stay, the entries with what is left in each, and those in which nothing is left
 */
function settle(
  chosen: readonly Entry[],
  elsewhere: ReadonlySet<string>,
): {
  readonly paths: ReadonlyMap<string, CachedPath>
  readonly left: readonly Entry[]
  readonly emptied: readonly Entry[]
} {
  const others = new Set([...elsewhere].map(hashOf))
  const all = new Map(chosen.flatMap(({ paths }) => paths.map(path => [hashOf(path.name), path] as const)))
  const closed = closeReferences(
    new Map(all.entries().map(([hash, { references }]) => [hash, references.map(hashOf)])),
    reference => others.has(reference),
  )
  const left: Entry[] = []
  const emptied: Entry[] = []
  for (const entry of chosen) {
    const paths = entry.paths.filter(({ name }) => closed.has(hashOf(name)))
    if (paths.length === 0) emptied.push(entry)
    else left.push({ ...entry, paths })
  }
  return { paths: new Map(all.entries().filter(([hash]) => closed.has(hash))), left, emptied }
}

function resultOf(
  { candidates }: PlanInput,
  index: CacheIndex,
  left: readonly Entry[],
  paths: ReadonlyMap<string, CachedPath>,
): Pick<Plan, 'index' | 'add'> {
  const kept = new Set(left.filter(({ candidate }) => !candidate).map(({ id }) => id))
  return {
    index: {
      ...index,
      packs: new Map(index.packs.entries().filter(([id]) => kept.has(id))),
      paths: new Map(index.paths.entries().filter(([hash]) => paths.has(hash))),
      elsewhere: neededElsewhere(index.elsewhere, paths.values()),
    },
    add: candidates.filter(({ path }) => paths.has(hashOf(path.name))),
  }
}

/** The index as this run leaves it before anything is dropped. */
function withUses({ index, candidates, used, now }: PlanInput): CacheIndex {
  const roots = [...used, ...candidates.flatMap(({ path }) => path.references.map(hashOf))]
  const reached = reach(roots, hash => index.paths.get(hash)?.references.map(hashOf))
  const paths = new Map(
    index.paths
      .entries()
      // A clock that was wrong once must not keep a path for ever.
      .map(([hash, path]) => {
        const lastUse = reached.has(hash) ? now : Math.min(path.lastUse, now - 1)
        return [hash, lastUse === path.lastUse ? path : { ...path, lastUse }]
      }),
  )
  return { ...index, paths }
}

function neededElsewhere(elsewhere: ReadonlySet<string>, paths: Iterable<CachedPath>): Set<string> {
  const needed = new Set<string>()
  for (const { references } of paths) for (const name of references) if (elsewhere.has(name)) needed.add(name)
  return needed
}

function describe(
  { index, candidates, used, now, limit }: PlanInput,
  made: Pick<Plan, 'index' | 'add'>,
): Plan {
  const dropped = new Set(index.packs.keys().filter(id => !made.index.packs.has(id)))
  const adding = new Set(made.add)
  const leftOut = candidates.filter(candidate => !adding.has(candidate))
  const total = sizeOf(made.index) + made.add.reduce((sum, { size }) => sum + size, 0)
  return { ...made, dropped, leftOut, total, reasons: [...reasons()] }

  function* reasons(): Generator<string> {
    const bound = `cache-size (${formatBytes(limit)})`
    const alive = index.paths
      .values()
      .filter(path => dropped.has(path.pack))
      .toArray()
    const freed = [...dropped].reduce((sum, id) => sum + (index.packs.get(id)?.size ?? 0), 0)
    const wanted = alive.some(({ name }) => used.has(hashOf(name))) || leftOut.length > 0
    if (wanted) yield `What this run used is more than ${bound}.`
    if (leftOut.length > 0) {
      const size = leftOut.reduce((sum, candidate) => sum + candidate.size, 0)
      const were = leftOut.length === 1 ? 'was' : 'were'
      yield `${count(leftOut.length, 'new path')} (${formatBytes(size)}) did not fit and ${were} not saved.`
    }
    if (alive.length > 0) {
      const oldest = Math.max(...alive.map(({ lastUse }) => now - lastUse))
      yield `${count(alive.length, 'path')} (${formatBytes(freed)}) had to go to stay within ${bound}, the longest unused for ${formatSeconds(Math.max(0, oldest))}.`
    }
  }
}
