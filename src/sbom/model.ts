import type { Digest } from '../util/digest.ts'

/** What an image is made of, by layer: read from its archives, not from what built it. */
export type Contents = {
  /** Everything in the store's directory, sorted by its path. */
  readonly storePaths: readonly { readonly path: string; readonly layer: number }[]
  /** Layers, counted from the lowest, 0, that have files outside of the store. */
  readonly outside: readonly number[]
}

/** A licence as nixpkgs' `meta` has it. */
export type License = { readonly spdxId: string | undefined; readonly name: string }

/** What a package says of itself. */
export type PackageMeta = {
  readonly description: string | undefined
  readonly homepage: string | undefined
  readonly licenses: readonly License[]
  /** https://csrc.nist.gov/pubs/ir/7695/final, version 2.3 */
  readonly cpe: string | undefined
  readonly purl: string | undefined
  /** Whether it is there for a program that it has. */
  readonly isProgram: boolean
}

/** A package of another ecosystem that is inside of a store path. */
export type Vendored = {
  readonly name: string
  readonly version: string
  readonly purl: string
  /** sha256 of what was downloaded, in hex, where that is one file. */
  readonly sha256: string | undefined
}

/** A store path of the image. */
export type StorePackage = {
  readonly path: string
  readonly layer: number
  /** What Nix knows of it; undefined where it is none of this store's. */
  readonly known:
    | {
        /** `sha256-<base64>` */
        readonly narHash: string
        /** Bytes. */
        readonly narSize: number
        /** Store paths, in the image or not. */
        readonly references: readonly string[]
        /** Store path of the derivation; undefined for sources. */
        readonly deriver: string | undefined
      }
    | undefined
  readonly meta: PackageMeta | undefined
  readonly vendored: readonly Vendored[]
}

/** All that the documents say. */
export type Inventory = {
  readonly image: {
    /** `ghcr.io/owner/app` */
    readonly name: string
    /** Of its manifest; undefined where it was not pushed. */
    readonly digest: Digest | undefined
    readonly architecture: string
    readonly created: Date
  }
  /** Digests of the layers' blobs, lowest first; none where the image was not pushed. */
  readonly layers: readonly string[]
  readonly packages: readonly StorePackage[]
  /** As in `Contents`. */
  readonly outside: readonly number[]
}
