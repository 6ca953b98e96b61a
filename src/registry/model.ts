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

/**
 * What a compressed layer became the last time, so that it is not compressed again.
 * Keyed by `memoKey`; kept in the cache index.
 */
export type LayerMemo = ReadonlyMap<string, { readonly digest: Digest; readonly size: number }>
