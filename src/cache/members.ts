import type { PathInfo } from '../nix/model.ts'
import { isSignedBy } from './candidates.ts'
import type { CachedPath } from './model.ts'
import { base32OfHash } from './narinfo.ts'
import type { NarFile } from './nars.ts'
import { type Member, sizeInCache } from './pack.ts'

/** Store paths with their compressed NARs as what a pack is made of; those without a NAR are left out. Pure. */
export function membersOf(
  paths: readonly PathInfo[],
  nars: ReadonlyMap<string, NarFile>,
  options: {
    /** Seconds that derivations took to build, by store path of the derivation. */
    readonly costs: Readonly<Record<string, number>>
    /** Names of keys by which public binary caches sign. */
    readonly upstreamKeys: ReadonlySet<string>
    /** Seconds since the epoch. */
    readonly now: number
  },
): Member[] {
  const { costs, upstreamKeys, now } = options
  return paths.flatMap(info => {
    const nar = nars.get(info.path)
    const narHash = base32OfHash(info.narHash)
    if (nar === undefined || narHash === undefined) return []
    const cost = info.deriver === undefined ? undefined : costs[info.deriver]
    const signed = isSignedBy(info, upstreamKeys)
    const path: CachedPath = {
      name: nameOf(info.path),
      narHash,
      narSize: info.narSize,
      references: info.references.map(nameOf),
      ...(info.deriver === undefined ? {} : { deriver: nameOf(info.deriver) }),
      ...(info.signatures.length === 0 ? {} : { signatures: info.signatures }),
      ...(info.ca === undefined ? {} : { ca: info.ca }),
      fileHash: nar.fileHash,
      fileSize: nar.fileSize,
      pack: '',
      lastUse: now,
      origin: signed ? 'upstream' : info.ca?.startsWith('fixed:') ? 'source' : 'built',
      ...(cost === undefined ? {} : { cost: Math.round(cost * 10) / 10 }),
    }
    return [{ path, nar, size: sizeInCache(path) }]
  })
}

/** What the paths refer to and what is not among them. Pure. */
export function outsideOf(paths: readonly PathInfo[]): Set<string> {
  const inside = new Set(paths.map(({ path }) => path))
  return new Set(paths.flatMap(({ references }) => references)).difference(inside)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
