import { writeFile } from 'node:fs/promises'
import { bounds, version } from './index-file.js'
import { tidy } from './merge.js'
import { hashOf } from './model.js'
import { storeDir } from './narinfo.js'
import { itemsOf } from './policy/items.js'
import { keepOrder } from './policy/order.js'

/**
 * Writes an index for this user's eyes only, so that `readIndex` can read it: of one that is too large, what is worth
 * most.
 * @param most what a reader takes
 * @returns what was written
 */
export async function writeIndex(file, index, most = bounds) {
  let text = renderIndex(index)
  let written = index
  if (!isWithin(written, text, most)) {
    const order = bestFirst(index, most)
    for (
      let left = order.length;
      left >= 0 && !isWithin(written, text, most);
      left = Math.ceil(left * 0.9) - 1
    ) {
      written = withPaths(index, order.slice(0, left), most)
      text = renderIndex(written)
    }
  }
  await writeFile(file, text, { mode: 0o600 })
  return written
}

function isWithin(index, text, most) {
  const names = ['packs', 'elsewhere', 'layers', 'images', 'recent', 'tooLarge', 'retired']
  if (Buffer.byteLength(text) > most.bytes || names.some(name => index[name].size > most[name])) return false
  return index.paths.values().every(({ references }) => references.length <= most.references)
}

/** What was used last comes first, then what saves the most seconds by the byte of the document. */
function bestFirst(index, most) {
  const now = index.paths.values().reduce((latest, { lastUse }) => Math.max(latest, lastUse), 0)
  const { items } = itemsOf(index, { index, candidates: [], used: new Set(), now, limit: 0 })
  const { order } = keepOrder(items, ({ path, value }) => {
    return { size: JSON.stringify(pathDocument(path)).length, value }
  })
  return order.map(({ path }) => path).filter(({ references }) => references.length <= most.references)
}

/** The index with some of its paths, and with the youngest of what else it remembers. */
function withPaths(index, some, most) {
  const needed = new Set(some.flatMap(({ references }) => references))
  return tidy({
    packs: index.packs,
    paths: new Map(some.map(path => [hashOf(path.name), path])),
    elsewhere: index.elsewhere.intersection(needed),
    recent: new Set([...index.recent].slice(0, most.recent)),
    layers: youngest(index.layers, most.layers, ({ lastUse }) => lastUse),
    images: youngest(index.images, most.images, ({ lastUse }) => lastUse),
    tooLarge: youngest(index.tooLarge, most.tooLarge, ({ lastUse }) => lastUse),
    retired: youngest(index.retired, most.retired, time => time),
  })
}

function youngest(map, most, timeOf) {
  return new Map([...map].sort(([, a], [, b]) => timeOf(b) - timeOf(a)).slice(0, most))
}

/** The same text for the same index, in whatever order it was put together. */
export function renderIndex(index) {
  const byPack = Map.groupBy(index.paths.values(), path => path.pack)
  const packs = sorted(index.packs).map(([hash, { key, size, created }]) => ({
    hash,
    key,
    size,
    created,
    paths: (byPack.get(hash) ?? []).toSorted((a, b) => compare(a.name, b.name)).map(pathDocument),
  }))
  const layers = sorted(index.layers).map(([key, { diffId, digest, size, repository, lastUse }]) => ({
    ...{ key, diffId, digest, size, repository, lastUse },
  }))
  const images = sorted(index.images).map(([key, { digest, lastUse }]) => ({ key, digest, lastUse }))
  const elsewhere = [...index.elsewhere].sort(compare)
  const tooLarge = sorted(index.tooLarge).map(([hash, { size, lastUse }]) => ({ hash, size, lastUse }))
  const retired = sorted(index.retired).map(([hash, time]) => ({ hash, time }))
  const recent = [...index.recent].sort(compare)
  return JSON.stringify({ version, storeDir, elsewhere, recent, packs, images, layers, tooLarge, retired })
}

function pathDocument(path) {
  return {
    name: path.name,
    narHash: path.narHash,
    narSize: path.narSize,
    references: path.references.map(hashOf).join(' '),
    deriver: path.deriver,
    signatures: path.signatures === undefined ? undefined : [...path.signatures],
    ca: path.ca,
    fileHash: path.fileHash,
    fileSize: path.fileSize,
    lastUse: path.lastUse,
    origin: path.origin,
    cost: path.cost,
  }
}

function sorted(map) {
  return [...map].sort(([a], [b]) => compare(a, b))
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0
}
