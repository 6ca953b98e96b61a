import { isSignedBy } from '../nix/signatures.js'
import { base32OfHash } from '../util/base32.js'
import { hashOf } from './model.js'

import { estimateOf } from './policy/select.js'
import { sizeInCache } from './size.js'

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

/** Store paths as the candidates that they will be, with sizes that are known or estimated instead of NARs. Pure. */
export function estimatedOf(paths, known, options) {
  const none = { fileHash: '', file: '' }
  const nars = new Map(paths.map(info => [info.path, { ...none, fileSize: estimateOf(info) }]))
  return membersOf(paths, nars, options).map(({ path, size }) => {
    return { path, size: known.get(hashOf(path.name))?.size ?? size }
  })
}

function nameOf(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}
