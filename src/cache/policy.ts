import { choose } from './policy/choose.ts'
import { bytesOf, type Held, type Item, itemsOf, withUses } from './policy/items.ts'
import type { Candidate, Plan, PlanInput } from './policy/model.ts'
import { reasonsOf } from './policy/reasons.ts'
import { callsFor, chooseRewrites } from './policy/rewrites.ts'

/**
 * Decides what the cache holds after this run: at most `limit` bytes, closed under references. What this run used or
 * made comes first, then what it may have used, and only when all that it used of the index has its place comes what
 * it did not use; within each, what saves the most seconds by the byte: see `Worth`.
 *
 * A pack frees its bytes only as a whole, so every path in a pack that stays is kept, unless it refers to something
 * that is gone. A pack that is rewritten keeps what is worth its bytes; which packs are, see `chooseRewrites`. Pure.
 */
export function plan(input: PlanInput): Plan {
  const { calls = 0, onDisk } = input
  const index = withUses(input)
  const all = itemsOf(index, input)
  const { freeing, merging } = chooseRewrites(all, input)
  const choice = choose(all.items, freeing.union(merging), input.limit, true)

  // A rewrite that turned out to free little is an upload for nothing.
  const kept = new Set(choice.kept)
  const whole = new Set(choice.whole)
  let room = choice.room
  for (const pack of [...freeing].sort((a, b) => deadIn(a, kept) - deadIn(b, kept))) {
    const dead = deadIn(pack, kept)
    if (dead > room || dead * 2 > pack.size || !pack.members.some(item => kept.has(item))) continue
    room -= dead
    whole.add(pack)
  }
  // What else they hold takes nothing.
  for (const item of choice.order) {
    const free = item.pack !== undefined && whole.has(item.pack) && !item.broken
    if (free && item.references.every(reference => kept.has(reference))) kept.add(item)
  }

  const moving = [...freeing, ...merging].filter(pack => !whole.has(pack))
  const rewrite = new Map(
    moving
      .map(pack => [pack.hash, pack.members.filter(item => kept.has(item)).map(asCandidate)] as const)
      .filter(([, members]) => members.length > 0),
  )
  const fresh = Map.groupBy(
    all.items.filter(({ candidate }) => candidate !== undefined),
    item => kept.has(item),
  )
  const candidatesIn = (some: readonly Item[] = []) => some.flatMap(({ candidate }) => candidate ?? [])
  const added = candidatesIn(fresh.get(true))
  // More than was thought may find a place in what is split, and so be written again.
  const fetched = rewrite.keys().filter(hash => onDisk?.has(hash) !== true)
  const bytes = bytesOf([...rewrite.values()].flat())
  const isTooMuch = rewrite.size > 0 && callsFor([...fetched].length, bytes, bytesOf(added)) > calls
  if (isTooMuch) return plan({ ...input, calls: calls - 3 })

  const stays = all.items.filter(({ pack }) => pack !== undefined && whole.has(pack))
  const paths = new Map(stays.filter(item => kept.has(item)).map(({ hash, path }) => [hash, path]))
  const names = new Set([...whole].map(({ hash }) => hash))
  const result = {
    index: {
      ...index,
      packs: new Map(index.packs.entries().filter(([hash]) => names.has(hash))),
      paths,
      elsewhere: neededElsewhere(index.elsewhere, kept),
    },
    dropped: new Set(index.packs.keys().filter(hash => !names.has(hash))),
    rewrite,
    add: added,
    leftOut: candidatesIn(fresh.get(false)),
    total: bytesOf(whole) + bytes + bytesOf(added),
  }
  return { ...result, reasons: reasonsOf(all, kept, result, input) }
}

/** Bytes of a pack that nothing which is kept takes up. */
function deadIn(pack: Held, kept: ReadonlySet<Item>): number {
  return pack.size - bytesOf(pack.members.filter(item => kept.has(item)))
}

function asCandidate({ path, size }: Item): Candidate {
  return { path, size }
}

function neededElsewhere(elsewhere: ReadonlySet<string>, kept: ReadonlySet<Item>): Set<string> {
  const needed = new Set<string>()
  for (const { path } of kept) {
    for (const name of path.references) if (elsewhere.has(name)) needed.add(name)
  }
  return needed
}
