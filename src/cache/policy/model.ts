import type { CachedPath, CacheIndex } from '../model.ts'
import type { Worth } from '../value.ts'

/** A path that could be added, compressed and measured; the pack that will hold it is not known yet. */
export type Candidate = {
  readonly path: CachedPath
  /** Bytes that it would take up in the cache. */
  readonly size: number
}

export type PlanInput = {
  readonly index: CacheIndex
  /** Whatever a candidate refers to is in the index, another candidate, or in `index.elsewhere`. */
  readonly candidates: readonly Candidate[]
  /** The hashes of what this run used of the index; what they refer to counts as used too. */
  readonly used: ReadonlySet<string>
  /**
   * The hashes of what this run may have used, as far as anybody can tell, with what they refer to: kept before what
   * was not used, but without becoming any younger. In a store that outlives the job a path shows no trace of its use.
   * @default none
   */
  readonly unknown?: ReadonlySet<string>
  /** Seconds since the epoch. */
  readonly now: number
  /** Bytes that all packs together may take up. */
  readonly limit: number
  /** Packs that can be rewritten. @default all */
  readonly rewritable?: ReadonlySet<string>
  /** Packs that need not be fetched to be rewritten. @default none */
  readonly onDisk?: ReadonlySet<string>
  /** Requests to the service that rewriting may take. @default 0: no pack is rewritten */
  readonly calls?: number
  /** @default savedSeconds */
  readonly worth?: Worth
  /** What this run made and was not compressed since it has no place, with sizes as estimated: for the reasons. */
  readonly unfit?: readonly Candidate[]
}

export type Plan = {
  /**
   * What is left of the index in packs that stay as they are, with its uses brought up to date. Neither the candidates
   * nor what moves are in it.
   */
  readonly index: CacheIndex
  /** Packs that are not named any more. Some of their paths may move. */
  readonly dropped: ReadonlySet<string>
  /** What moves into new packs, by the pack that it is in now; nothing else of that pack is kept. */
  readonly rewrite: ReadonlyMap<string, readonly Candidate[]>
  readonly add: readonly Candidate[]
  readonly leftOut: readonly Candidate[]
  /** Bytes of the packs that are kept, and of what moves and is added. */
  readonly total: number
  /** Sentences for people: what the limit has cost, what was rewritten. */
  readonly reasons: readonly string[]
}
