import type { Held, Item } from './items.ts'
import { keepOrder, referencesFirst } from './order.ts'

/** What is kept within a limit, and at what price. */
export type Choice = {
  readonly kept: ReadonlySet<Item>
  /** Packs that stay as they are because something in them is kept. */
  readonly whole: ReadonlySet<Held>
  /** Bytes of the limit that are left. */
  readonly room: number
  /** Whether everything that this run used of the index is kept. */
  readonly complete: boolean
  /** Rank and value per byte of the best item that found no place; undefined when all did. */
  readonly refused: { readonly rank: number; readonly density: number } | undefined
  /** Value per byte of the last item that did. */
  readonly last: number
  /** What was looked at, best first. */
  readonly order: readonly Item[]
  readonly densities: readonly number[]
}

/**
 * Keeps items in order as long as they fit. An item of a pack in `split` takes its own bytes; any other pack takes its
 * bytes, dead ones included, with the first of its members that is kept, and the others of them for nothing. What was
 * used and what may have been goes before all that was not; and when not all that was used of the index has a place,
 * what was not used gets none either, as far as it takes any.
 * @param anyOrder whether the order may be any other one, as long as it is closed, when there is room for all
 */
export function choose(
  items: readonly Item[],
  split: ReadonlySet<Held>,
  limit: number,
  anyOrder = false,
): Choice {
  const wholes = new Map<Held, number>()
  const isSplit = (pack: Held | undefined) => pack === undefined || split.has(pack)
  const { order, densities } =
    (anyOrder && allFit(items, isSplit, limit)) ||
    keepOrder(items, item => {
      const { size, value, pack } = item
      if (pack === undefined || isSplit(pack)) return { size, value }
      let sum = wholes.get(pack)
      if (sum === undefined) {
        sum = pack.members.reduce((total, member) => total + member.value, 0)
        wholes.set(pack, sum)
      }
      // Each member by its share of the pack, so that all of them are worth the same by the byte.
      const share = size / pack.alive
      return { size: pack.size * share, value: sum * share }
    })
  const kept = new Set<Item>()
  const whole = new Set<Held>()
  let [room, complete, last] = [limit, true, 0]
  let refused: Choice['refused']
  for (const [at, item] of order.entries()) {
    if (item.broken || !item.references.every(reference => kept.has(reference))) {
      if (item.rank === 2 && item.pack !== undefined && !item.broken) complete = false
      continue
    }
    const { pack } = item
    const price = pack === undefined || isSplit(pack) ? item.size : whole.has(pack) ? 0 : pack.size
    if (price > room || (price > 0 && item.rank === 0 && !complete)) {
      refused ??= { rank: item.rank, density: densities[at] ?? 0 }
      if (item.rank === 2 && pack !== undefined) complete = false
      continue
    }
    kept.add(item)
    room -= price
    last = densities[at] ?? 0
    if (pack !== undefined && !isSplit(pack)) whole.add(pack)
  }
  return { kept, whole, room, complete, refused, last, order, densities }
}

/** An order for when it does not matter, since there is room for all. */
function allFit(
  items: readonly Item[],
  isSplit: (pack: Held | undefined) => boolean,
  limit: number,
): { readonly order: readonly Item[]; readonly densities: readonly number[] } | undefined {
  const packs = new Set<Held>()
  let bytes = 0
  for (const { pack, size } of items) {
    if (pack === undefined || isSplit(pack)) bytes += size
    else if (!packs.has(pack)) {
      packs.add(pack)
      bytes += pack.size
    }
    if (bytes > limit) return undefined
  }
  return { order: referencesFirst(items), densities: [] }
}
