import type { PathInfo } from '../nix/model.ts'
import { base32OfHash } from '../util/base32.ts'
import type { CandidatesInput } from './candidates.ts'
import { reach } from './closure.ts'
import { type CacheIndex, hashOf } from './model.ts'
import type { Stats } from './server.ts'

/** What post knows of the job. */
export type JobFacts = {
  /** When main began, in seconds since the epoch. */
  readonly started: number
  /** Store paths that were built or substituted for the user. */
  readonly outPaths: readonly string[]
  /** What the substituter did; undefined when there was none. */
  readonly served: Pick<Stats, 'served'> | undefined
}

/**
 * What is in the store since the job began was used by it, whether in a build or by what was built. What was there
 * before may have been: a store that outlives the job does not tell. Hashes of paths in the index. Pure.
 */
export function usesOf(
  index: CacheIndex,
  valid: ReadonlyMap<string, PathInfo>,
  { started, outPaths, ofJob }: Pick<JobFacts, 'started' | 'outPaths'> & Pick<CandidatesInput, 'ofJob'>,
): { readonly used: ReadonlySet<string>; readonly unknown: ReadonlySet<string> } {
  const inUse = reach(outPaths, path => valid.get(path)?.references)
  const cached = [...valid.values()].filter(({ path }) => index.paths.has(hashOf(path)))
  const isUsed = ({ path, registrationTime }: PathInfo) =>
    inUse.has(path) || (ofJob?.has(path) ?? registrationTime >= started)
  const hashes = (infos: readonly PathInfo[]) => new Set(infos.map(({ path }) => hashOf(path)))
  return { used: hashes(cached.filter(isUsed)), unknown: hashes(cached.filter(info => !isUsed(info))) }
}

/**
 * The index without paths that this job made anew although the cache has them: Nix refused what it was served, or a
 * build of today gives something else. They are candidates then; what refers to them stays. Pure.
 */
export function withoutReplaced(
  index: CacheIndex,
  valid: ReadonlyMap<string, PathInfo>,
  { started, served, ofJob }: Pick<JobFacts, 'started' | 'served'> & Pick<CandidatesInput, 'ofJob'>,
): CacheIndex {
  const wasServed = new Set(served?.served)
  const replaced = new Set<string>()
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
