import type { Readable } from 'node:stream'
import type { Digest } from '../util/digest.ts'

/** One layer as an uncompressed tar. */
export type Layer = {
  /** sha256 of the uncompressed tar, as the image's config claims it. Whoever reads the layer verifies it. */
  readonly diffId: Digest
  /** Size of the uncompressed tar in bytes. */
  readonly size: number
  /** The uncompressed tar from its beginning; may be called again. */
  open(): Readable
}

/** What every source yields and every sink takes: the narrow waist between Nix's formats and registries. */
export type Image = {
  readonly kind: 'docker-archive' | 'stream'
  /** The image config, byte for byte as Nix made it. Its sha256 is the image id. */
  readonly config: Buffer
  /** What the config says of the platform that the image is for. */
  readonly platform: Platform
  /** Lowest layer first, in the order of the config's `rootfs.diff_ids`. */
  readonly layers: readonly Layer[]
  /** Removes what opening the image had to write. */
  close(): Promise<void>
}

/** As in an OCI image index's `platform`. */
export type Platform = { readonly os: string; readonly architecture: string; readonly variant?: string }
