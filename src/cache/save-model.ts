import type { Nix } from '../nix/model.ts'
import type { LayerMemo } from '../registry/model.ts'
import type { Digest } from '../util/digest.ts'
import type { Amount, Held } from './amounts.ts'
import type { EntriesOptions } from './entries.ts'
import type { IndexOptions } from './indexes.ts'
import type { CacheApi } from './purge.ts'
import type { Stats } from './server.ts'
import type { JobFacts } from './uses.ts'

export type SaveOptions = IndexOptions &
  Omit<EntriesOptions, 'timeout'> &
  JobFacts & {
    readonly nix: Nix
    /** The built `nar-worker.js`. */
    readonly narWorker: string
    /** Keys of the indexes that main opened: of the job's own ref, and of the branch it comes from. */
    readonly key: string | undefined
    readonly base?: string | undefined
    /** Whether other jobs may use the store at the same time. */
    readonly shared: boolean
    /** Store paths of Nix itself. */
    readonly closure: readonly string[]
    /** Store paths that shall not be kept: see `findCandidates`. */
    readonly exclude: readonly string[]
    /** Seconds that derivations took to build, by store path of the derivation. */
    readonly costs: Readonly<Record<string, number>>
    /** What the layers of this run's image are, whether known before or learned now. */
    readonly layers: LayerMemo
    /** What this run's image was published as, by keys of what it was made from. */
    readonly images: ReadonlyMap<string, { readonly digest: Digest }>
    /** What the substituter did; undefined when there was none. */
    readonly served: Stats | undefined
    /** How entries that nothing names any more are deleted; undefined where there is no token for it. */
    readonly api?: CacheApi | undefined
    /** The ref that this job's entries are saved for. @default `ref` */
    readonly cacheRef?: string
    /** Whether the run is for code from outside of the repository: the service may let it only read. @default false */
    readonly foreign?: boolean
    /** Bytes that the cache may hold. */
    readonly limit: number
    /** Whether paths that a public binary cache has are kept too. */
    readonly upstream: boolean
    /** Public keys of binary caches, `name:key`, besides that of cache.nixos.org. */
    readonly publicKeys?: readonly string[]
    /** Milliseconds since the epoch. */
    readonly now?: () => number
    /** Some characters that nobody else has. */
    readonly random?: () => string
    /** From 0 to 1. */
    readonly chance?: () => number
    /** Waits for so many milliseconds. */
    readonly wait?: (milliseconds: number) => Promise<void>
  }

export type SaveReport = {
  /** `unchanged`: there was nothing to say that the cache does not know. `denied`: this job may only read. */
  readonly outcome: 'saved' | 'unchanged' | 'denied' | 'failed'
  readonly why?: string
  readonly before: Amount
  readonly after: Amount
  readonly added: Amount
  readonly dropped: Amount
  /** Bytes of the packs that were sent. */
  readonly uploaded: number
  /** What is held, by how it came to be, with the bytes that the paths themselves take up. */
  readonly held?: Held
  /** Packs that were rewritten, and the bytes of what was moved out of them; those are among `uploaded`. */
  readonly repacked?: { readonly packs: number; readonly bytes: number }
  /** Entries of the cache service that nothing names any more. */
  readonly deleted?: { readonly entries: number; readonly bytes: number }
  readonly limit: number
  /** Sentences: what the limit has cost, what could not be saved. */
  readonly reasons: readonly string[]
  /** Requests that the cache service was sent. */
  readonly calls: number
}
