import type { CachedPath } from './model.ts'
import { narFile, renderNarInfo } from './narinfo.ts'

/**
 * What a file costs in the archive besides its contents: a header of a tar, of which compression leaves about this
 * much. Measured; counted so that what the cache takes up is never more than we say.
 */
const perFile = 256

/** Length of a narinfo in which all that differs from path to path is empty, but for two sizes of one digit. */
const bareNarInfo = renderNarInfo(
  {
    ...{ name: '', narHash: '', narSize: 0, references: [], fileHash: '', fileSize: 0 },
    ...{ pack: '', lastUse: 0, origin: 'built' },
  },
  narFile(''),
).length

/** Bytes that a path takes up in the cache: its compressed NAR, its narinfo, and its share of `nix-cache-info`. */
export function sizeInCache(path: CachedPath): number {
  return path.fileSize + narInfoLength(path) + 3 * perFile
}

/** As long as what `renderNarInfo` gives, in a tenth of the time. */
function narInfoLength(path: CachedPath): number {
  const { name, narHash, narSize, references, fileHash, fileSize, deriver, signatures, ca } = path
  let length = bareNarInfo + name.length + narHash.length + 2 * fileHash.length
  length += String(narSize).length - 1 + String(fileSize).length - 1 + Math.max(0, references.length - 1)
  for (const reference of references) length += reference.length
  if (deriver !== undefined) length += 'Deriver: \n'.length + deriver.length
  for (const signature of signatures ?? []) length += 'Sig: \n'.length + signature.length
  if (ca !== undefined) length += 'CA: \n'.length + ca.length
  return length
}
