import { type Choice, choose } from './choose.ts'
import { bytesOf, type Held, type Item, type Items } from './items.ts'
import type { PlanInput } from './model.ts'

const MiB = 1024 * 1024

/** Bytes of packs at least, but for the last: see `fillPacks`. */
export const leastPack = 64 * MiB

/** Packs below this are merged when there are more than so many of them. */
const small = 16 * MiB
const manySmall = 16

/** Requests that bringing and saving an entry take. */
const callsToFetch = 2
const callsToSave = 3

/** What a rewrite costs, in seconds and bytes a second: the service is told three times, tar and zstd run over it. */
const rewrite = { latency: 2, fetch: 100_000_000, send: 50_000_000 }

/** In so many runs what a rewrite keeps is likely to be of use: it is paid for once. */
const runs = 30

/** Why a pack is rewritten: to free bytes that are dead or worth too little, or to have fewer packs. */
export type Rewrites = { readonly freeing: ReadonlySet<Held>; readonly merging: ReadonlySet<Held> }

/**
 * Which packs are rewritten, in order of need as far as `calls` allows: those of which less than half is alive; where
 * the limit presses, those of which a part is worth keeping and the rest is not worth its bytes, best first; and small
 * ones when there are many.
 */
export function chooseRewrites({ items, packs }: Items, input: PlanInput): Rewrites {
  const { limit, rewritable, onDisk = new Set<string>(), calls = 0 } = input
  if (calls <= 0) return { freeing: new Set(), merging: new Set() }
  const allowed = packs.filter(({ hash, size, alive, members }) => {
    return members.length > 0 && alive <= size && rewritable?.has(hash) !== false
  })
  const added = items.filter(({ pack }) => pack === undefined)
  const total = bytesOf(packs) + bytesOf(added)
  const ideal = total > limit ? choose(items, new Set(allowed), limit) : undefined
  const kept = ({ members }: Held) => (ideal ? members.filter(item => ideal.kept.has(item)) : members)
  const isOnDisk = ({ hash }: Held) => onDisk.has(hash)

  const fresh = bytesOf(ideal ? added.filter(item => ideal.kept.has(item)) : added)
  const budget = new Budget(calls, fresh, isOnDisk)
  const freeing = new Set<Held>()
  const merging = new Set<Held>()
  // One of which nothing is worth keeping is not written again.
  const halfDead = allowed.filter(pack => pack.alive * 2 < pack.size && kept(pack).length > 0)
  for (const pack of halfDead.toSorted((a, b) => b.size - b.alive - (a.size - a.alive))) {
    if (budget.take(pack, bytesOf(kept(pack)))) freeing.add(pack)
  }
  if (ideal !== undefined) {
    const gains = allowed
      .filter(pack => !freeing.has(pack))
      .map(pack => ({ pack, gain: gainOf(pack, ideal, isOnDisk(pack)) }))
    for (const { pack, gain } of gains.toSorted((a, b) => b.gain - a.gain)) {
      if (gain > 0 && budget.take(pack, bytesOf(kept(pack)))) freeing.add(pack)
    }
    // However little that gains: what this run used shall not go because of what lies beside it.
    const needed = packs.filter(pack => pack.members.some(item => item.rank > 0 && ideal.kept.has(item)))
    const stays = (pack: Held) => (freeing.has(pack) ? bytesOf(kept(pack)) : pack.size)
    let excess = needed.reduce((sum, pack) => sum + stays(pack), fresh) - limit
    const freed = (pack: Held) => pack.size - bytesOf(kept(pack))
    for (const pack of needed.toSorted((a, b) => freed(b) - freed(a))) {
      if (excess <= 0 || freeing.has(pack) || !allowed.includes(pack)) continue
      if (!budget.take(pack, bytesOf(kept(pack)))) continue
      freeing.add(pack)
      excess -= freed(pack)
    }
  }
  const little = packs.filter(pack => pack.size < small && !freeing.has(pack))
  if (little.length > manySmall) {
    const nearFirst = little
      .filter(pack => allowed.includes(pack))
      .toSorted((a, b) => Number(isOnDisk(b)) - Number(isOnDisk(a)) || a.size - b.size)
    for (const pack of nearFirst) if (budget.take(pack, bytesOf(kept(pack)))) merging.add(pack)
    // One pack made of one pack is no fewer.
    if (merging.size + freeing.size + Math.min(1, added.length) < 2) merging.clear()
  }
  return { freeing, merging }
}

/**
 * Seconds by which it is better to rewrite a pack than to keep it as it is, or to drop it. A byte costs what the best
 * path that found no place would have given for it; when only dead bytes are in the way, half of what the worst that
 * did gives, since it is lost if they stay.
 */
function gainOf(pack: Held, ideal: Choice, isOnDisk: boolean): number {
  const { rank, density } = ideal.refused ?? { rank: 0, density: ideal.last / 2 }
  const price = runs * (density || Number.MIN_VALUE)
  const worth = (members: readonly Item[]) =>
    members.reduce((sum, item) => sum + (item.rank < rank ? 0 : runs * item.value), 0)
  const wanted = pack.members.filter(item => ideal.kept.has(item))
  const bytes = bytesOf(wanted)
  if (bytes === 0) return 0
  const work = rewrite.latency + bytes / rewrite.send + (isOnDisk ? 0 : pack.size / rewrite.fetch)
  const rewritten = worth(wanted) - price * bytes - work
  const asItIs = worth(pack.members) - price * pack.size
  const isNeeded = wanted.some(item => item.rank > rank)
  return rewritten - (isNeeded ? asItIs : Math.max(asItIs, 0))
}

/**
 * Requests that rewriting takes when so many packs have to be fetched and so many bytes are written again, together with
 * so many new ones that are sent in any case.
 */
export function callsFor(fetched: number, bytes: number, fresh: number): number {
  const packs = Math.ceil((fresh + bytes) / leastPack) - Math.ceil(fresh / leastPack)
  return fetched * callsToFetch + packs * callsToSave
}

/** Requests that are left for rewriting. What is written together is counted together. */
class Budget {
  readonly #calls: number
  readonly #fresh: number
  #fetched = 0
  #bytes = 0
  readonly #isOnDisk: (pack: Held) => boolean

  constructor(calls: number, fresh: number, isOnDisk: (pack: Held) => boolean) {
    this.#calls = calls
    this.#fresh = fresh
    this.#isOnDisk = isOnDisk
  }

  /** Whether there are enough for one more pack, of which so many bytes are written again. */
  take(pack: Held, bytes: number): boolean {
    const fetched = this.#fetched + (this.#isOnDisk(pack) ? 0 : 1)
    if (callsFor(fetched, this.#bytes + bytes, this.#fresh) > this.#calls) return false
    this.#fetched = fetched
    this.#bytes += bytes
    return true
  }
}
