import type { KnownLayer } from '../registry/model.ts'
import type { Digest } from '../util/digest.ts'

/** How a path came to be: built by a job, fetched by a fixed hash, or from somebody else's binary cache. */
export type Origin = 'built' | 'source' | 'upstream'

/** A store path in the cache: the fields of its narinfo, and what the policy weighs. */
export type CachedPath = {
  /** `<32 characters>-<name>`: the store path without its directory. */
  readonly name: string
  /** SHA-256 of the NAR, 52 characters of Nix's base 32. */
  readonly narHash: string
  /** Bytes. */
  readonly narSize: number
  /** Names, in Nix's order, the path's own among them where it refers to itself. */
  readonly references: readonly string[]
  /** Name of the derivation that made it. */
  readonly deriver?: string
  readonly signatures?: readonly string[]
  readonly ca?: string
  /** SHA-256 of the compressed NAR, in the same form. */
  readonly fileHash: string
  /** Bytes. */
  readonly fileSize: number
  /** The pack that holds it: 64 hex digits. */
  readonly pack: string
  /** Seconds since the epoch. */
  readonly lastUse: number
  readonly origin: Origin
  /** Seconds that it took to make, where that was seen. */
  readonly cost?: number
}

/** A pack that the index names. */
export type Pack = {
  /** Of the entry that holds it. */
  readonly key: string
  /** Bytes that it takes up in the cache, those of paths that are not named any more included. */
  readonly size: number
  /** Seconds since the epoch. */
  readonly created: number
}

export type ImageUse = {
  readonly digest: Digest
  /** Seconds since the epoch. */
  readonly lastUse: number
}

export type LayerUse = KnownLayer & {
  /** Seconds since the epoch. */
  readonly lastUse: number
}

/** A path that was compressed and found no place. */
export type Unfit = {
  /** Bytes that it would take up in the cache. */
  readonly size: number
  /** Seconds since the epoch. */
  readonly lastUse: number
}

/**
 * What the cache of one system and scope holds. Every path is in a pack that is named, and refers to paths that are
 * here or in `elsewhere`.
 */
export type CacheIndex = {
  /** By content hash, 64 hex digits. */
  readonly packs: ReadonlyMap<string, Pack>
  /** By the 32 characters that a path's name begins with. */
  readonly paths: ReadonlyMap<string, CachedPath>
  /** Names of paths that are referred to and that a public binary cache has. */
  readonly elsewhere: ReadonlySet<string>
  /** What images were published as, by a key of what they were made from. */
  readonly images: ReadonlyMap<string, ImageUse>
  /** By memo key: what layers became when they were compressed. */
  readonly layers: ReadonlyMap<string, LayerUse>
  /** Packs that the last run needed something from: the next one is likely to need them too. */
  readonly recent: ReadonlySet<string>
  /** By the 32 characters of a path that is not here: so that it is not compressed again to find that out. */
  readonly tooLarge: ReadonlyMap<string, Unfit>
  /**
   * By content hash, when packs were given up, in seconds since the epoch: so that an older index which still names
   * them does not bring them back.
   */
  readonly retired: ReadonlyMap<string, number>
}

export const emptyIndex: CacheIndex = Object.freeze({
  packs: new Map(),
  paths: new Map(),
  elsewhere: new Set<string>(),
  images: new Map(),
  layers: new Map(),
  recent: new Set<string>(),
  tooLarge: new Map(),
  retired: new Map(),
})

/** The 32 characters by which paths are known, of a name or of a whole store path. */
export function hashOf(path: string): string {
  return path.startsWith('/') ? path.slice(path.lastIndexOf('/') + 1).slice(0, 32) : path.slice(0, 32)
}

/** Bytes of all packs that the index names. */
export function sizeOf(index: Pick<CacheIndex, 'packs'>): number {
  return index.packs.values().reduce((sum, pack) => sum + pack.size, 0)
}
