import type { BaseImage } from './build/base-images.ts'
import type { Build, Substitution } from './build/progress.ts'
import type { Brought } from './cache/bring.ts'
import type { OpenedCache } from './cache/open.ts'
import type { Finding } from './check/model.ts'
import type { Evidence } from './nix/evidence.ts'
import { plainStore } from './nix/store.ts'
import type { Reproduction } from './reproduce/model.ts'
import type { Phase } from './util/phases.ts'

/** What one run of main did: the source of the outputs, of `metadata` and of the summary. Filled as it becomes known. */
export type Report = {
  nix?: {
    readonly version: string
    readonly how: 'installed' | 'found'
    readonly from: 'mirror' | 'tool-cache' | 'actions-cache' | 'present'
    readonly sandbox: boolean
    /** Of a Nix that was installed: what its tarball was held against, by this run or by the one that kept it. */
    readonly release?: { readonly sha256: string; readonly pinned: boolean } | undefined
    /** What the installation spent its time on. */
    readonly phases: readonly Phase[]
  }
  cache?: {
    /** Not known before the build has ended. */
    status: 'hit' | 'partial' | 'miss' | 'off' | undefined
    readonly paths: number
    readonly bytes: number
    /** Bytes that it may hold; undefined when it is off. */
    readonly limit?: number
    /** Packs that were brought here by the end of main, and their bytes; undefined when nothing served the cache. */
    fetched?: { readonly packs: number; readonly bytes: number } | undefined
  }
  build?: {
    /** Store paths of the images. */
    readonly outPaths: readonly string[]
    readonly builds: readonly { readonly name: string; readonly seconds: number }[]
    /** Names of the derivations whose build failed. */
    readonly failed: readonly string[]
    readonly substituted: {
      /** Store paths from our cache, and from elsewhere. */
      readonly cache: number
      readonly upstream: number
      /** As downloaded. */
      readonly bytes: number
    }
  }
  /** What stands behind what was built, as far as this run built it. */
  trust?: Trust
  /** Of what was built a second time. */
  reproducible?: Reproduction
  copy?: {
    /** The store's URL. */
    readonly to: string
    /** How many store paths it did not have. */
    readonly paths: number
  }
  /** What the inspection found, the worst first; undefined where none was to be inspected. */
  check?: {
    readonly findings: readonly (Finding & { readonly platform: string })[]
    /** Rules that were turned off. */
    readonly ignored: readonly string[]
    /** Platforms whose images could not be inspected. */
    readonly uninspected: readonly string[]
  }
  push?: undefined | Published
  /** What was said of the published digest, and by whom. */
  attested?: Attested | undefined
  sbom?: readonly Sbom[]
  loaded?: {
    readonly into: 'docker' | 'podman'
    /** sha256 of the image's config. */
    readonly id: string
    /** `name:tag` */
    readonly references: readonly string[]
  }
  /** The test that the image passed. */
  tested?: {
    readonly with: 'docker' | 'podman'
    /** sha256 of the image's config. */
    readonly id: string
    readonly seconds: number
    /** As they were written. */
    readonly lines: readonly string[]
  }
  /** Why nothing was pushed, when the run was not asked to or did not get that far. */
  unpushed?: string | undefined
  failure?: {
    readonly message: string
    readonly advice: string | undefined
    /** The end of a build's log, or Nix's own words. */
    readonly detail: string | undefined
    /** The phase that did not get done; undefined when none had begun or the run was cancelled. */
    readonly phase?: string | undefined
    readonly cancelled?: boolean
  }
  phases: readonly Phase[]
  /** Wall time of main, in seconds. Known at its end. */
  seconds?: number
}

/** What was held against something, and what was taken on somebody's word. */
export type Trust = {
  /** Store paths that came from elsewhere: from our `cache`, or from the store with a URL. */
  readonly paths: readonly (Evidence & { readonly from: string; readonly paths: number })[]
  /** Names of the keys whose signatures Nix takes; none where it needed none. */
  readonly keys: readonly string[]
  /** Flakes' inputs, with theirs, that a lock file in the source has the hash of, and that are in the store by it. */
  readonly locked: number
  /** Inputs that no lock file has, and flakes that are asked for by a name that others may move. */
  readonly unlocked: number
  /** Whether all settings are such that evaluation follows from the flake and its lock file. */
  readonly pure: boolean
  /** Images from registries that ours is built upon, as far as this run fetched them and held them against their hash. */
  readonly bases: readonly BaseImage[]
  /** How many other outputs that the flake gives a hash of were made on this machine: downloads, mostly. */
  readonly downloads: number
  /** URLs of other machines, and how many derivations they built. */
  readonly machines: readonly { readonly machine: string; readonly builds: number }[]
}

/** What was pushed, or was there already. */
export type Published = {
  readonly name: string
  /** Of the index where there is one; otherwise of the first image. */
  readonly digest: string
  /** Those of what the digest names, sorted. */
  readonly platforms: readonly string[]
  /** `name:tag` */
  readonly tags: readonly string[]
  /** Those of the tags, without the name, that named something else before, or nothing. */
  readonly tagged: readonly string[]
  readonly changed: boolean
  readonly index?: { readonly digest: string; readonly changed: boolean }
  /** Platforms without which there is no index: other jobs of the run have not pushed them yet. */
  readonly waiting: readonly string[]
  /** What this job pushed, or found to be there, by platform; in an index also what other jobs pushed. */
  readonly images: readonly PublishedImage[]
}

/** What an image holds. */
export type Sbom = {
  readonly platform: string
  /** CycloneDX, then SPDX. */
  readonly files: readonly string[]
  /** Where the registry keeps it beside the image. */
  readonly attached?: {
    /** Who signed, as in `Attested`; undefined where nobody did. */
    readonly by: string | undefined
    /** Whether this run did it, and not an earlier one. */
    readonly added: boolean
  }
}

export type Attested = {
  readonly digest: string
  readonly claims: readonly {
    readonly what: 'provenance' | 'signature' | 'signature in a tag'
    /** Who signed: a workflow, as verifiers name it, or a key: `key sha256:…` */
    readonly by: string
    /** Whether this run did it, and not an earlier one. */
    readonly added: boolean
  }[]
}

export type PublishedImage = {
  readonly platform: string
  readonly digest: string
  readonly changed: boolean
  /**
   * What told that the image was there already: `job` for that of another job of the run. Undefined when it was made, or
   * found out layer by layer.
   */
  readonly known?: 'source' | 'output' | 'job' | undefined
  /** Bytes in the registry, and bytes sent by this run. */
  readonly size: number
  readonly uploaded: number
  readonly layers: readonly {
    readonly digest: string
    readonly size: number
    readonly how: 'uploaded' | 'mounted' | 'present'
    /** Whether it was not made again, but remembered what it becomes. */
    readonly recalled?: true | undefined
  }[]
}

/** What was done to have the outputs, also by a build that failed in the end. */
type Done = {
  readonly builds: readonly Build[]
  readonly substitutions: readonly Substitution[]
  /** Names of derivations. */
  readonly failed?: readonly string[]
}

/** What was brought and built, with what came from the cache told from what came from elsewhere. */
export function buildReport(
  { builds, substitutions, failed = [] }: Done,
  outPaths: readonly string[],
  cache: OpenedCache,
  brought: Brought = { paths: [], bytes: 0 },
): NonNullable<Report['build']> {
  const isOurs = isStoreOf(cache)
  const ours = substitutions.filter(({ store }) => isOurs(store))
  return {
    outPaths,
    builds: builds.map(({ name, seconds }) => ({ name, seconds })),
    failed,
    substituted: {
      cache: brought.paths.length + ours.length,
      upstream: substitutions.length - ours.length,
      bytes: substitutions.reduce((total, { bytes }) => total + bytes, brought.bytes),
    },
  }
}

/** Whether a store is the one that serves our cache. */
export function isStoreOf({ server }: Pick<OpenedCache, 'server'>): (store: string) => boolean {
  const own = server && plainStore(server.url)
  return store => plainStore(store) === own
}

/** How much of what the build needed the cache had. `hit`: nothing was built. */
export function cacheStatus(
  cache: OpenedCache,
  build: NonNullable<Report['build']>,
): NonNullable<Report['cache']>['status'] {
  if (cache.status === 'off') return 'off'
  const { cache: ours, upstream } = build.substituted
  // What public caches have need not be in ours.
  if (build.builds.length === 0 && (ours > 0 || upstream === 0)) return 'hit'
  return ours === 0 ? 'miss' : 'partial'
}
