import { pathInfo } from '../nix/cli.ts'
import { keyName, officialKey } from '../nix/signatures.ts'
import { findCandidates } from './candidates.ts'
import { jobPaths } from './job-paths.ts'
import { forget } from './merge.ts'
import type { CacheIndex } from './model.ts'
import type { SaveOptions } from './save-model.ts'
import { usesOf, withoutReplaced } from './uses.ts'

/**
 * Looks at the store at the end of a job: what the cache could gain, and what this job used of what it knows.
 * @param known what the cache holds
 * @param seconds since the epoch
 */
export async function surveyStore(options: SaveOptions, known: CacheIndex, seconds: number) {
  const { nix, outPaths, costs, served, limit } = options
  const valid = await pathInfo(nix, 'all')
  const built = Object.keys(costs)
  const ofJob = options.shared
    ? await jobPaths({ valid, outPaths, built, served: served?.served ?? [] })
    : undefined
  const upstreamKeys = new Set([officialKey, ...(options.publicKeys ?? []).map(keyName)])
  const facts = { ...options, ofJob, upstreamKeys, now: seconds }
  const gone = new Set(served?.packs.gone)
  /** An index without what is gone or was made anew. */
  const freed = (index: CacheIndex) => withoutReplaced(forget(index, gone), valid, facts)
  const before = freed(known)
  const candidates = findCandidates({ ...facts, valid, index: before })
  /** What the policy is asked about an index. */
  const askOf = (other: CacheIndex) => {
    const index = { ...other, elsewhere: other.elsewhere.union(candidates.elsewhere) }
    return { index, ...usesOf(index, valid, facts), now: seconds, limit }
  }
  return { facts, gone, freed, before, candidates, askOf }
}
