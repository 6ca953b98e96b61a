import type { PathInfo } from '../nix/model.ts'
import { isSignedBy } from '../nix/signatures.ts'
import { base32OfHash } from '../util/base32.ts'
import { type CachedPath, type CacheIndex, hashOf } from './model.ts'
import type { NarFile } from './nar-file.ts'
import type { Member } from './pack.ts'
import type { Candidate } from './policy/model.ts'
import { estimateOf } from './policy/select.ts'
import { sizeInCache } from './size.ts'

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

/** Store paths as the candidates that they will be, with sizes that are known or estimated instead of NARs. Pure. */
export function estimatedOf(
  paths: readonly PathInfo[],
  known: CacheIndex['tooLarge'],
  options: Parameters<typeof membersOf>[2],
): Candidate[] {
  const none = { fileHash: '', file: '' }
  const nars = new Map(paths.map(info => [info.path, { ...none, fileSize: estimateOf(info) }]))
  return membersOf(paths, nars, options).map(({ path, size }) => {
    return { path, size: known.get(hashOf(path.name))?.size ?? size }
  })
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
