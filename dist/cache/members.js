import { isSignedBy } from './candidates.js'

import { base32OfHash } from './narinfo.js'

import { sizeInCache } from './pack.js'

/** Store paths with their compressed NARs as what a pack is made of; those without a NAR are left out. Pure. */
export function membersOf(paths, nars, options) {
  const { costs, upstreamKeys, now } = options
  return paths.flatMap(info => {
    const nar = nars.get(info.path)
    const narHash = base32OfHash(info.narHash)
    if (nar === undefined || narHash === undefined) return []
    const cost = info.deriver === undefined ? undefined : costs[info.deriver]
    const signed = isSignedBy(info, upstreamKeys)
    const path = {
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
export function outsideOf(paths) {
  const inside = new Set(paths.map(({ path }) => path))
  return new Set(paths.flatMap(({ references }) => references)).difference(inside)
}

function nameOf(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}
