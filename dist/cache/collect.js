import { base32OfHash } from '../util/base32.js'
import { hashOf } from './model.js'

/** How much smaller NARs become, where nothing of the kind has been compressed yet. */
const usualRatio = 3

/**
 * Which paths a store that outlives its jobs gives up to stay within the bound of the cache: the order is the cache's,
 * least worth for its bytes first, and what this job used comes last. What refers to a path goes with it. Sizes are
 * those that the cache would have, so that store and cache hold about the same. Pure.
 * @returns store paths, each after all that refer to it; only dead ones
 */
export function toCollect(input) {
  const { valid, dead, limit, used, now } = input
  const ratio = ratioOf(input.index)
  const known = [...valid.values()].map(info => described(info, input, ratio))
  let total = known.reduce((sum, { fileSize }) => sum + fileSize, 0)
  if (total <= limit) return []
  const worth = input.worth(known, now)
  const facts = new Map(
    [...valid.keys()].map((path, at) => {
      const size = known[at]?.fileSize ?? 0
      return [path, { size, rank: (worth[at] ?? 0) / (size + 1), used: used.has(path) }]
    }),
  )
  const mostWantedFirst = [...dead]
    .filter(path => valid.has(path))
    .sort((a, b) => {
      const [one, other] = [facts.get(a), facts.get(b)]
      return Number(other?.used) - Number(one?.used) || (other?.rank ?? 0) - (one?.rank ?? 0)
    })
  const collected = []
  for (const path of referencesFirst(mostWantedFirst, valid).reverse()) {
    if (total <= limit) break
    collected.push(path)
    total -= facts.get(path)?.size ?? 0
  }
  return collected
}

/** The paths in their order, but each after what it refers to: that is wanted as much as the path is. */
function referencesFirst(paths, valid) {
  const among = new Set(paths)
  const sorted = []
  const seen = new Set()
  for (const path of paths) {
    const stack = [{ path, done: false }]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (at.done) sorted.push(at.path)
      else if (!seen.has(at.path) && among.has(at.path)) {
        seen.add(at.path)
        stack.push({ path: at.path, done: true })
        for (const reference of valid.get(at.path)?.references ?? [])
          stack.push({ path: reference, done: false })
      }
    }
  }
  return sorted
}

function ratioOf(index) {
  let [nars, files] = [0, 0]
  for (const { narSize, fileSize } of index.paths.values()) {
    nars += narSize
    files += fileSize
  }
  return files === 0 ? usualRatio : nars / files
}

/** A path of the store as the index would have it. */
function described(info, { index, costs, used, now }, ratio) {
  const known = index.paths.get(hashOf(info.path))
  const lastUse = used.has(info.path) ? now : Math.max(known?.lastUse ?? 0, info.registrationTime)
  const cost = info.deriver === undefined ? undefined : costs[info.deriver]
  if (known !== undefined) return { ...known, lastUse }
  return {
    name: info.path.slice(info.path.lastIndexOf('/') + 1),
    narHash: base32OfHash(info.narHash) ?? '',
    narSize: info.narSize,
    references: [],
    fileHash: '',
    fileSize: Math.round(info.narSize / ratio),
    pack: '',
    lastUse,
    origin: info.signatures.length > 0 ? 'upstream' : info.ca?.startsWith('fixed:') ? 'source' : 'built',
    ...(info.deriver === undefined ? {} : { deriver: info.deriver.slice(info.deriver.lastIndexOf('/') + 1) }),
    ...(cost === undefined ? {} : { cost }),
  }
}
