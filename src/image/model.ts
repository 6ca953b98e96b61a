import type { Digest } from '../util/digest.ts'
import type { Nix2containerPath } from './archive/nix2container-layer.ts'
import type { StoreLayer } from './archive/store-layer.ts'

export type FilePart = {
  /** Path, or the number of a descriptor that the image keeps open until it is closed. */
  readonly file: string | number
  readonly offset: number
  /** Bytes in the file. */
  readonly length: number
}

/** Where a layer's bytes come from: plain data, so that a thread can be given it. */
export type LayerSource =
  /** An uncompressed tar, or one that is packed. */
  | (FilePart & { readonly kind: 'file'; readonly packing: 'gzip' | 'zstd' | undefined })
  /** Store paths, archived as nixpkgs' streamLayeredImage does it. */
  | { readonly kind: 'store'; readonly layer: StoreLayer }
  /** Files and folders, archived as nix2container does it. */
  | { readonly kind: 'nix2container'; readonly paths: readonly Nix2containerPath[] }

/**
 * To be raised when an image or a layer gets other bytes than before: what was remembered of the old ones counts no
 * more.
 */
export const writerVersion = 1

export type Layer = {
  /**
   * What decides every byte of the uncompressed tar: of two layers with the same key one can stand for the other. The
   * diffID where the source claims one.
   */
  readonly key: string
  /** sha256 of the uncompressed tar, where the source claims one. Whoever reads the layer verifies it. */
  readonly diffId: Digest | undefined
  /** Bytes of the uncompressed tar; about, where the source is not one file. The largest layers are worked on first. */
  readonly size: number
  readonly source: LayerSource
  /** What the source already is as a registry takes it, where it comes so: it is sent as it is. */
  readonly blob?: { readonly mediaType: string; readonly digest: Digest; readonly size: number }
}

/** What every source yields and every sink takes: the narrow waist between Nix's formats and registries. */
export type Image = {
  readonly kind: 'docker-archive' | 'stream' | 'nix2container' | 'oci-layout'
  /**
   * The image config, byte for byte as the tool that the source is made for writes it. Its sha256 is the image id.
   * @param diffIds of the layers, lowest first
   */
  config(diffIds: readonly Digest[]): Buffer
  /** What the config says of the platform that the image is for. */
  readonly platform: Platform
  /** Lowest layer first. */
  readonly layers: readonly Layer[]
  /** Removes what opening the image had to write. */
  close(): Promise<void>
}

/** As in an OCI image index's `platform`. */
export type Platform = { readonly os: string; readonly architecture: string; readonly variant?: string }
