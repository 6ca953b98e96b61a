import { pathInfo } from '../nix/cli.js'
import { keyName, officialKey } from '../nix/signatures.js'
import { findCandidates } from './candidates.js'
import { jobPaths } from './job-paths.js'
import { forget } from './merge.js'

import { usesOf, withoutReplaced } from './uses.js'

/**
 * Looks at the store at the end of a job: what the cache could gain, and what this job used of what it knows.
 * @param known what the cache holds
 * @param seconds since the epoch
 */
export async function surveyStore(options, known, seconds) {
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
  const freed = index => withoutReplaced(forget(index, gone), valid, facts)
  const before = freed(known)
  const candidates = findCandidates({ ...facts, valid, index: before })
  /** What the policy is asked about an index. */
  const askOf = other => {
    const index = { ...other, elsewhere: other.elsewhere.union(candidates.elsewhere) }
    return { index, ...usesOf(index, valid, facts), now: seconds, limit }
  }
  return { facts, gone, freed, before, candidates, askOf }
}
