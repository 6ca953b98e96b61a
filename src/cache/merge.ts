import { closeReferences } from './closure.ts'
import { type CachedPath, type CacheIndex, hashOf, type LayerUse, type Pack } from './model.ts'

/**
 * What two jobs that saved side by side know together. The order of the two does not matter. What one of them had
 * dropped comes back: whether there is room for it is for the policy to say.
 */
export function merge(a: CacheIndex, b: CacheIndex): CacheIndex {
  const packs = new Map<string, Pack>(a.packs)
  for (const [hash, pack] of b.packs) {
    const other = packs.get(hash)
    packs.set(hash, other === undefined ? pack : samePack(other, pack))
  }
  const paths = new Map<string, CachedPath>(a.paths)
  for (const [hash, path] of b.paths) {
    const other = paths.get(hash)
    paths.set(hash, other === undefined ? path : samePath(other, path, packs))
  }
  const layers = new Map<string, LayerUse>(a.layers)
  for (const [key, layer] of b.layers) {
    const other = layers.get(key)
    layers.set(key, other === undefined ? layer : ([other, layer].sort(newestFirst)[0] ?? layer))
  }
  return tidy({ packs, paths, layers, elsewhere: a.elsewhere.union(b.elsewhere) })
}

/**
 * The index without packs that turned out to be gone or spoilt, without their paths, and without what refers to
 * those.
 */
export function forget(index: CacheIndex, gone: ReadonlySet<string>): CacheIndex {
  if (gone.size === 0) return index
  const packs = new Map(index.packs.entries().filter(([hash]) => !gone.has(hash)))
  const paths = new Map(index.paths.entries().filter(([, path]) => !gone.has(path.pack)))
  return tidy({ ...index, packs, paths })
}

/** Leaves out paths whose references are nowhere, and packs that hold nothing which is named. */
export function tidy(index: CacheIndex): CacheIndex {
  const elsewhere = new Set([...index.elsewhere].map(hashOf))
  const closed = closeReferences(
    new Map(index.paths.entries().map(([hash, { references }]) => [hash, references.map(hashOf)])),
    reference => elsewhere.has(reference),
  )
  const paths = new Map(index.paths.entries().filter(([hash]) => closed.has(hash)))
  const named = new Set(paths.values().map(({ pack }) => pack))
  return { ...index, paths, packs: new Map(index.packs.entries().filter(([hash]) => named.has(hash))) }
}

/** Of two keys for one pack the longer one was made because the other could not be used. */
function samePack(a: Pack, b: Pack): Pack {
  const order = b.key.length - a.key.length || byText(a, b)
  return order <= 0 ? a : b
}

/** The copy in the older pack stays, so that the younger one can go; it was used whenever either was. */
function samePath(a: CachedPath, b: CachedPath, packs: ReadonlyMap<string, Pack>): CachedPath {
  const age = ({ pack }: CachedPath) => packs.get(pack)?.created ?? 0
  const lastUse = Math.max(a.lastUse, b.lastUse)
  const [one, other] = [
    { ...a, lastUse },
    { ...b, lastUse },
  ]
  const order = age(a) - age(b) || byText(one, other)
  return order <= 0 ? one : other
}

/** Any order will do, as long as it does not depend on which of the two came first. */
function byText(a: unknown, b: unknown): number {
  const [one, other] = [JSON.stringify(a), JSON.stringify(b)]
  return one < other ? -1 : one > other ? 1 : 0
}

function newestFirst(a: LayerUse, b: LayerUse): number {
  return b.lastUse - a.lastUse || (a.digest < b.digest ? -1 : 1)
}
