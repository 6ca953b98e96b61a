import type { Realised } from './build/flake.ts'
import type { OpenedCache } from './cache/open.ts'
import type { Phase } from './util/phases.ts'

/** What one run of main did: the source of the outputs, of `metadata` and of the summary. Filled as it becomes known. */
export type Report = {
  nix?: {
    readonly version: string
    readonly how: 'installed' | 'found'
    readonly from: 'mirror' | 'tool-cache' | 'actions-cache' | 'present'
    readonly sandbox: boolean
    /** What the installation spent its time on. */
    readonly phases: readonly Phase[]
  }
  cache?: { status: 'hit' | 'partial' | 'miss' | 'off'; paths: number; bytes: number }
  build?: {
    readonly outPath: string | undefined
    readonly builds: readonly { readonly name: string; readonly seconds: number }[]
    /** Store paths that Nix substituted: from our cache, and from elsewhere. */
    readonly substituted: { readonly cache: number; readonly upstream: number; readonly bytes: number }
    readonly seconds: number
  }
  push?: {
    readonly name: string
    readonly digest: string
    /** `name:tag` */
    readonly tags: readonly string[]
    readonly platform: string
    readonly changed: boolean
    /** Bytes in the registry, and bytes sent by this run. */
    readonly size: number
    readonly uploaded: number
    readonly layers: readonly {
      readonly digest: string
      readonly size: number
      readonly how: 'uploaded' | 'present'
    }[]
  }
  /** Why nothing was pushed, when the run was not asked to or did not get that far. */
  unpushed?: string
  failure?: string
  phases: readonly Phase[]
}

/** What `realise` did, with what came from the cache told from what came from elsewhere. */
export function buildReport(
  realised: Realised,
  outPath: string | undefined,
  cache: OpenedCache,
): NonNullable<Report['build']> {
  const withoutQuery = (url: string | undefined) => url?.replace(/\?.*/, '')
  const url = withoutQuery(cache.server?.url)
  const ours = realised.substitutions.filter(({ store }) => withoutQuery(store) === url)
  return {
    outPath,
    builds: realised.builds.map(({ name, seconds }) => ({ name, seconds })),
    substituted: {
      cache: ours.length,
      upstream: realised.substitutions.length - ours.length,
      bytes: realised.substitutions.reduce((total, { bytes }) => total + bytes, 0),
    },
    seconds: realised.seconds,
  }
}

/** How much of what the build needed the cache had. */
export function cacheStatus(
  cache: OpenedCache,
  build: NonNullable<Report['build']>,
): NonNullable<Report['cache']>['status'] {
  if (cache.status === 'off') return 'off'
  if (build.builds.length === 0 && build.substituted.upstream === 0) return 'hit'
  return build.substituted.cache === 0 ? 'miss' : 'partial'
}
