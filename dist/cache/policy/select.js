import { hashOf } from '../model.js'
import { choose } from './choose.js'
import { bytesOf, itemsOf, withUses } from './items.js'

/** zstd makes a NAR this many times smaller on average, and no more than that at most. */
const usualRatio = 4
const bestRatio = 20

/** Bytes that a path is likely to take up when it is compressed, where that is not known. */
export function estimateOf(info) {
  return Math.ceil(info.narSize / usualRatio)
}

/**
 * What is worth being compressed to see whether it has a place: what the policy would add if each path took as much as
 * was seen of it or is usual; after that, should room be left, what nobody has seen compressed and could still fit. Pure.
 * @param input.candidates with sizes as far as they are known, otherwise as estimated; in the order of `infos`
 * @param infos references before what refers to them
 */
export function selectPaths(infos, input) {
  const index = withUses(input)
  const { items, packs } = itemsOf(index, input)
  const { kept, order } = choose(items, new Set(packs), input.limit)
  const stays = order.filter(item => item.candidate === undefined && item.rank > 0 && kept.has(item))
  const budget = input.limit - bytesOf(stays)

  const byHash = new Map(infos.map(info => [hashOf(info.path), info]))
  const paths = order
    .filter(item => item.candidate !== undefined && kept.has(item))
    .flatMap(({ hash }) => byHash.get(hash) ?? [])
  const chosen = new Set(paths.map(({ path }) => path))
  const unfit = []
  const lacking = new Set()
  for (const info of infos) {
    if (chosen.has(info.path)) continue
    const hopeless = index.tooLarge.has(hashOf(info.path)) || info.narSize > bestRatio * budget
    if (hopeless || info.references.some(path => lacking.has(path))) {
      unfit.push(info)
      lacking.add(info.path)
    } else paths.push(info)
  }
  return { paths, unfit, budget }
}

/** So many paths are remembered that did not fit; smaller ones are compressed sooner than they are looked up. */
const mostRemembered = 1000
const worthRemembering = 1024 * 1024

/** What did not fit by now, so that it is not compressed again. Pure. */
export function rememberUnfit(known, options) {
  const { added, leftOut, unfit, now } = options
  const tooLarge = new Map(known)
  for (const { path } of added) tooLarge.delete(hashOf(path.name))
  for (const hash of unfit) {
    const size = known.get(hash)?.size
    if (size !== undefined) tooLarge.set(hash, { size, lastUse: now })
  }
  for (const { path, size } of leftOut) {
    if (size >= worthRemembering) tooLarge.set(hashOf(path.name), { size, lastUse: now })
  }
  const learned = tooLarge.keys().some(hash => known.get(hash)?.size !== tooLarge.get(hash)?.size)
  const newest = [...tooLarge].sort(([a, one], [b, other]) => {
    return other.lastUse - one.lastUse || (a < b ? -1 : 1)
  })
  return { tooLarge: new Map(newest.slice(0, mostRemembered)), learned }
}
