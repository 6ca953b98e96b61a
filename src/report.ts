import type { Phase } from './util/phases.ts'

/** What one run of main did: the source of the outputs, of `metadata` and of the summary. Filled as it becomes known. */
export type Report = {
  nix?: { version: string; how: 'installed' | 'found'; from: string; sandbox: boolean }
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
