/**
 * What differs in a file, or about it. `packing`: the same content, compressed in another way. `content`: bytes of which
 * nothing more is known.
 */
export type Kind =
  | 'added'
  | 'removed'
  | 'type'
  | 'mode'
  | 'owner'
  | 'link'
  | 'time'
  | 'order'
  | 'path'
  | 'build-id'
  | 'packing'
  | 'content'

/** A few bytes of both builds, from the same offset. */
export type Bytes = {
  /** Where the first byte is that differs. */
  readonly offset: number
  /** Where `first` and `second` begin: at or before `offset`. */
  readonly from: number
  /** Hex digits; none where the file has ended. */
  readonly first: string
  readonly second: string
}

export type Difference = {
  /** A file of the output: `bin/app`; with what holds it: `layer 2: nix/store/…/app`, `doc.tar.gz: doc/index.html`. */
  readonly where: string
  readonly kind: Kind
  /** The first bytes that differ; undefined where it is not about bytes. */
  readonly bytes?: Bytes
}

/** What a store path is as a whole. */
export type Content = {
  /** `sha256-<base64>` */
  readonly narHash: string
  /** Bytes. */
  readonly narSize: number
}

export type Output = Content & {
  readonly path: string
  /** What the second build made, where that is something else and Nix has kept it. */
  readonly again?: Content
}

/** A derivation that was built a second time. */
export type BuiltAgain = {
  readonly name: string
  /** Undefined where none is known. */
  readonly drvPath?: string
  /** `skipped`: this machine cannot build it. `failed`: it did not build a second time. */
  readonly verdict: 'same' | 'different' | 'skipped' | 'failed'
  /** Why it was skipped, or failed. */
  readonly why?: string
  /** The end of the log of a build that failed. */
  readonly log?: string
  /** The outputs that the image is made from. */
  readonly outputs: readonly Output[]
  /** The first ones, in the order of their files. */
  readonly differences: readonly Difference[]
  /** Whether there are more of them. */
  readonly more: boolean
  readonly seconds: number
}

export type Reproduction = {
  /** `partly`: what was built again is the same, and something could not be built again. */
  readonly verdict: 'same' | 'different' | 'failed' | 'partly'
  readonly derivations: readonly BuiltAgain[]
  /** Store paths that were not built again, since Nix holds them to the hash of their content: sources and what was fetched. */
  readonly fixed: number
  /** Store paths that were not built again, since a binary cache has signed them. */
  readonly signed: number
}
