import { count, formatBytes, formatSeconds } from '../util/text.js'
import { closeReferences, reach } from './closure.js'
import { hashOf, sizeOf } from './model.js'

/** A pack is worth as much as the path in it that was used last. */
export const leastRecentlyUsed = ({ paths }) =>
  paths.reduce((latest, { lastUse }) => Math.max(latest, lastUse), 0)

/** Bytes that candidates can get at most, whatever they are: the packs that this run used stay. */
export function roomForNew({ index, used, limit }) {
  const packs = new Set([...used].flatMap(hash => index.paths.get(hash)?.pack ?? []))
  return [...packs].reduce((room, pack) => room - (index.packs.get(pack)?.size ?? 0), limit)
}

/**
 * Decides what the cache holds after this run: at most `limit` bytes, closed under references. What this run used
 * comes first, in the order of `rank`, and only when all of that has its place comes what it did not use. A pack
 * frees its bytes only as a whole, so it is kept or dropped as a whole; a path in a kept pack is unnamed only when it
 * refers to something that is gone. Pure.
 */
export function plan(input) {
  const { candidates, now, limit, unknown = new Set(), rank = leastRecentlyUsed } = input
  const index = withUses(input)
  const byPack = Map.groupBy(index.paths.values(), path => path.pack)
  const packs = [...index.packs].map(([id, { size }]) => ({
    ...{ id, size, paths: byPack.get(id) ?? [], candidate: false },
  }))
  const isUsed = ({ candidate, paths }) =>
    candidate || paths.some(({ name, lastUse }) => lastUse >= now || unknown.has(hashOf(name)))
  const fresh = candidates.map(({ path, size }) => ({
    ...{ id: hashOf(path.name), size, paths: [path], candidate: true },
  }))
  const chosen = new Set()
  const refused = new Set()
  let room = limit
  const choose = entries => {
    const ranked = entries.map(entry => ({ entry, rank: rank(entry, now) }))
    // The sort is stable: of equal worth, packs come before candidates, and those in their order.
    for (const { entry } of ranked.toSorted((a, b) => b.rank - a.rank)) {
      const lacking =
        entry.candidate && entry.paths.some(path => path.references.some(name => refused.has(hashOf(name))))
      if (lacking || entry.size > room) {
        for (const { name } of entry.paths) refused.add(hashOf(name))
        continue
      }
      chosen.add(entry)
      room -= entry.size
    }
    return entries.every(entry => chosen.has(entry))
  }
  const complete = choose([...packs.filter(isUsed), ...fresh])
  if (complete) choose(packs.filter(entry => !isUsed(entry)))
  const paths = settle(chosen, index.elsewhere, entry => complete || isUsed(entry))
  const kept = new Set([...chosen].filter(({ candidate }) => !candidate).map(({ id }) => id))
  const named = new Map(index.paths.entries().filter(([hash]) => paths.has(hash)))
  return describe(input, {
    index: {
      ...index,
      packs: new Map(index.packs.entries().filter(([id]) => kept.has(id))),
      paths: named,
      elsewhere: neededElsewhere(index.elsewhere, paths.values()),
    },
    add: candidates.filter(({ path }) => paths.has(hashOf(path.name))),
  })
}

/**
 * Takes out of `chosen` what cannot stay: paths whose references were not chosen, then packs of which nothing is left
 * (or, with something used left out, nothing used), until nothing changes. Gives the paths that remain named.
 */
function settle(chosen, elsewhere, mayStay) {
  const others = new Set([...elsewhere].map(hashOf))
  for (;;) {
    const paths = new Map([...chosen].flatMap(entry => entry.paths.map(path => [hashOf(path.name), path])))
    const closed = closeReferences(
      new Map(paths.entries().map(([hash, { references }]) => [hash, references.map(hashOf)])),
      reference => others.has(reference),
    )
    let changed = false
    for (const entry of chosen) {
      const left = entry.paths.filter(({ name }) => closed.has(hashOf(name)))
      if (left.length === entry.paths.length && left.length > 0) continue
      changed = true
      chosen.delete(entry)
      const rest = { ...entry, paths: left }
      if (left.length > 0 && mayStay(rest)) chosen.add(rest)
    }
    if (!changed) return paths
  }
}

/** The index as this run leaves it before anything is dropped. */
function withUses({ index, candidates, used, now }) {
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

function neededElsewhere(elsewhere, paths) {
  const needed = new Set()
  for (const { references } of paths) for (const name of references) if (elsewhere.has(name)) needed.add(name)
  return needed
}

function describe({ index, candidates, used, now, limit }, made) {
  const dropped = new Set(index.packs.keys().filter(id => !made.index.packs.has(id)))
  const adding = new Set(made.add)
  const leftOut = candidates.filter(candidate => !adding.has(candidate))
  const total = sizeOf(made.index) + made.add.reduce((sum, { size }) => sum + size, 0)
  return { ...made, dropped, leftOut, total, reasons: [...reasons()] }

  function* reasons() {
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
      yield `${count(leftOut.length, 'new path')} (${formatBytes(size)}) did not fit and were not saved.`
    }
    if (alive.length > 0) {
      const oldest = Math.max(...alive.map(({ lastUse }) => now - lastUse))
      yield `${count(alive.length, 'path')} (${formatBytes(freed)}) had to go to stay within ${bound}, the longest unused for ${formatSeconds(Math.max(0, oldest))}.`
    }
  }
}
