import { base32OfHash } from '../util/base32.js'

import { reach } from './closure.js'
import { hashOf } from './model.js'

/**
 * What is in the store since the job began was used by it, whether in a build or by what was built. What was there
 * before may have been: a store that outlives the job does not tell. Hashes of paths in the index. Pure.
 */
export function usesOf(index, valid, { started, outPaths, ofJob }) {
  const inUse = reach(outPaths, path => valid.get(path)?.references)
  const cached = [...valid.values()].filter(({ path }) => index.paths.has(hashOf(path)))
  const isUsed = ({ path, registrationTime }) =>
    inUse.has(path) || (ofJob?.has(path) ?? registrationTime >= started)
  const hashes = infos => new Set(infos.map(({ path }) => hashOf(path)))
  return { used: hashes(cached.filter(isUsed)), unknown: hashes(cached.filter(info => !isUsed(info))) }
}

/**
 * The index without paths that this job made anew although the cache has them: Nix refused what it was served, or a
 * build of today gives something else. They are candidates then; what refers to them stays. Pure.
 */
export function withoutReplaced(index, valid, { started, served, ofJob }) {
  const wasServed = new Set(served?.served)
  const replaced = new Set()
  for (const { path, narHash, registrationTime, ultimate } of valid.values()) {
    const hash = hashOf(path)
    const known = index.paths.get(hash)
    if (known === undefined || registrationTime < started || ofJob?.has(path) === false) continue
    const refused = ultimate && wasServed.has(hash)
    if (refused || known.narHash !== base32OfHash(narHash)) replaced.add(hash)
  }
  if (replaced.size === 0) return index
  return { ...index, paths: new Map(index.paths.entries().filter(([hash]) => !replaced.has(hash))) }
}
