import { reach } from '../closure.js'
import { hashOf } from '../model.js'
import { sizeInCache } from '../size.js'
import { savedSeconds } from '../value.js'

/**
 * The index as this run leaves it before anything is dropped: what was used, and what that refers to, is as young as
 * the run.
 */
export function withUses({ index, candidates, used, now }) {
  const names = [...used].flatMap(hash => index.paths.get(hash)?.name ?? [])
  const reached = reachIn(index, [...names, ...candidates.flatMap(({ path }) => path.references)])
  const paths = new Map()
  for (const [hash, path] of index.paths) {
    // A clock that was wrong once must not keep a path for ever.
    const lastUse = reached.has(path.name) ? now : Math.min(path.lastUse, now - 1)
    paths.set(hash, lastUse === path.lastUse ? path : { ...path, lastUse })
  }
  return { ...index, paths }
}

/** @param index one that `withUses` gave */
export function itemsOf(index, { candidates, unknown = new Set(), now, worth = savedSeconds }) {
  const maybe = reachIn(
    index,
    [...unknown].flatMap(hash => index.paths.get(hash)?.name ?? []),
  )
  const paths = [...index.paths.values(), ...candidates.map(({ path }) => path)]
  const values = worth(paths, now)
  const packs = new Map(
    index.packs
      .entries()
      .map(([hash, { size, created }]) => [hash, { hash, size, created, members: [], alive: 0 }]),
  )
  // By name: to cut the hash out of every reference takes longer than all the rest.
  const items = new Map()
  for (const [at, path] of paths.entries()) {
    const candidate = at < index.paths.size ? undefined : candidates[at - index.paths.size]
    const pack = candidate === undefined ? packs.get(path.pack) : undefined
    const item = {
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

export function bytesOf(items) {
  let sum = 0
  for (const { size } of items) sum += size
  return sum
}

/** Names of paths of the index. */
function reachIn(index, names) {
  const byName = new Map()
  for (const path of index.paths.values()) byName.set(path.name, path)
  return reach(names, name => byName.get(name)?.references)
}
