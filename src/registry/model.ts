import type { Digest } from '../util/digest.ts'

/** https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md */
export type Descriptor = {
  readonly mediaType: string
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

export type Compression = 'gzip' | 'zstd'

/** What a layer became when it was compressed. */
export type MadeLayer = {
  /** sha256 of the uncompressed tar. */
  readonly diffId: Digest
  /** Of the compressed blob. */
  readonly digest: Digest
  /** Bytes of the blob. */
  readonly size: number
}

/**
 * What layers became the last time, so that they are not made again. Keyed by `memoKey`; kept in the cache index, and
 * in annotations of the manifests that are in the registry.
 */
export type LayerMemo = ReadonlyMap<string, KnownLayer>

export type KnownLayer = MadeLayer & {
  /** Name of a repository that had the blob: `ghcr.io/owner/app`. */
  readonly repository: string
}
