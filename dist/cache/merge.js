import { closeReferences } from './closure.js'
import { mergeMemos } from './memos.js'
import { hashOf } from './model.js'

/** Seconds. What was used so shortly before another job gave it up may be in use by a job that runs beside it. */
const sideBySide = 6 * 60 * 60

/**
 * What two jobs that saved side by side know together. The order of the two does not matter. Of packs that one of them
 * has given up, only what is nowhere else and was used lately comes back: whether there is room for it is for the
 * policy to say.
 */
export function merge(one, other) {
  const retired = laterOf(one.retired, other.retired)
  const [a, b] = [withoutRetired(one, retired, other), withoutRetired(other, retired, one)]
  const packs = new Map(a.packs)
  for (const [hash, pack] of b.packs) {
    const other = packs.get(hash)
    packs.set(hash, other === undefined ? pack : samePack(other, pack))
  }
  const paths = new Map(a.paths)
  for (const [hash, path] of b.paths) {
    const other = paths.get(hash)
    paths.set(hash, other === undefined ? path : samePath(other, path, packs))
  }
  const layers = mergeMemos(a.layers, b.layers)
  const images = mergeMemos(a.images, b.images)
  const tooLarge = new Map(a.tooLarge)
  for (const [hash, unfit] of b.tooLarge) {
    const known = tooLarge.get(hash)
    tooLarge.set(hash, known === undefined ? unfit : newestUnfit(known, unfit))
  }
  for (const hash of paths.keys()) tooLarge.delete(hash)
  const [elsewhere, recent] = [a.elsewhere.union(b.elsewhere), a.recent.union(b.recent)]
  const all = tidy({ packs, paths, layers, images, elsewhere, recent, tooLarge, retired })
  return { ...all, retired: new Map(retired.entries().filter(([hash]) => !all.packs.has(hash))) }
}

/** So many packs that were given up are remembered, and for so many seconds: no job takes longer. */
const mostRetired = 500
const longestJob = 7 * 24 * 60 * 60

/**
 * The index with what it does not name any more of what was there before, so that `merge` knows.
 * @param now seconds since the epoch
 */
export function withRetired(index, before, now) {
  const retired = new Map([...before.retired, ...index.retired])
  for (const hash of before.packs.keys()) retired.set(hash, now)
  const newest = [...retired]
    .filter(([hash, time]) => !index.packs.has(hash) && time > now - longestJob)
    .sort(([a, time], [b, other]) => other - time || (a < b ? -1 : 1))
  return { ...index, retired: new Map(newest.slice(0, mostRetired)) }
}

function laterOf(a, b) {
  const later = new Map(a)
  for (const [hash, time] of b) later.set(hash, Math.max(time, later.get(hash) ?? time))
  return later
}

/** One of two indexes as far as it counts in a merge. A pack that was made again after it was given up is as good as new. */
function withoutRetired(index, retired, other) {
  const isRetired = ({ pack }, { packs }) => {
    return (retired.get(pack) ?? -1) >= (packs.get(pack)?.created ?? 0)
  }
  const comesBack = (hash, path) => {
    const copy = other.paths.get(hash)
    if (copy !== undefined && !isRetired(copy, other)) return false
    return path.lastUse > (retired.get(path.pack) ?? 0) - sideBySide
  }
  const paths = index.paths
    .entries()
    .filter(([hash, path]) => !isRetired(path, index) || comesBack(hash, path))
  return { ...index, paths: new Map(paths) }
}

function newestUnfit(a, b) {
  return a.lastUse > b.lastUse || (a.lastUse === b.lastUse && a.size > b.size) ? a : b
}

/**
 * The index without packs that turned out to be gone or spoilt, without their paths, and without what refers to
 * those.
 */
export function forget(index, gone) {
  if (gone.size === 0) return index
  const packs = new Map(index.packs.entries().filter(([hash]) => !gone.has(hash)))
  const paths = new Map(index.paths.entries().filter(([, path]) => !gone.has(path.pack)))
  return tidy({ ...index, packs, paths })
}

/** Leaves out paths whose references are nowhere, and packs that hold nothing which is named. */
export function tidy(index) {
  const elsewhere = new Set([...index.elsewhere].map(hashOf))
  const closed = closeReferences(
    new Map(index.paths.entries().map(([hash, { references }]) => [hash, references.map(hashOf)])),
    reference => elsewhere.has(reference),
  )
  const paths = new Map(index.paths.entries().filter(([hash]) => closed.has(hash)))
  const named = new Set(paths.values().map(({ pack }) => pack))
  const packs = new Map(index.packs.entries().filter(([hash]) => named.has(hash)))
  return { ...index, paths, packs, recent: index.recent.intersection(named) }
}

/** Of two keys for one pack the longer one was made because the other could not be used. */
function samePack(a, b) {
  const order = b.key.length - a.key.length || byText(a, b)
  return order <= 0 ? a : b
}

/** The copy in the older pack stays, so that the younger one can go; it was used whenever either was. */
function samePath(a, b, packs) {
  const age = ({ pack }) => packs.get(pack)?.created ?? 0
  const lastUse = Math.max(a.lastUse, b.lastUse)
  const [one, other] = [
    { ...a, lastUse },
    { ...b, lastUse },
  ]
  const order = age(a) - age(b) || byText(one, other)
  return order <= 0 ? one : other
}

/** Any order will do, as long as it does not depend on which of the two came first. */
function byText(a, b) {
  const [one, other] = [JSON.stringify(a), JSON.stringify(b)]
  return one < other ? -1 : one > other ? 1 : 0
}
