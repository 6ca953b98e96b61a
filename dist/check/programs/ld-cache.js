import { decode } from '../../image/archive/utf8.js'

/** How the newer format begins, which all of glibc write since 2002; the older one may be before it. */
const magic = 'glibc-ld.so.cache1.1'
const headerLength = 48
const entryLength = 24
const oldMagic = 'ld.so-1.7.0'
const oldHeaderLength = 16
const oldEntryLength = 12
/** A large desktop system has a few thousand. */
const mostEntries = 100_000
const longestPath = 4096

/**
 * Reads what ldconfig wrote: where libraries are. Entries for other processors, or for better ones, are not told
 * apart: whoever opens a file sees what it is.
 * @returns paths by the name of a library, in the cache's order; none where it is not such a cache, or damaged
 * https://sourceware.org/git/?p=glibc.git;a=blob;f=sysdeps/generic/dl-cache.h
 */
export function parseLdCache(bytes) {
  const paths = new Map()
  const start = startOf(bytes)
  if (start === undefined || start + headerLength > bytes.length) return paths
  const little = isLittleEndian(bytes[start + 28])
  const word = at => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
  const count = Math.min(word(start + 20), mostEntries)
  for (let i = 0; i < count; i++) {
    const at = start + headerLength + i * entryLength
    if (at + entryLength > bytes.length) break
    const name = text(bytes, start + word(at + 4))
    const path = text(bytes, start + word(at + 8))
    if (name === undefined || path === undefined) continue
    const others = paths.get(name)
    if (others === undefined) paths.set(name, [path])
    else if (!others.includes(path)) others.push(path)
  }
  return paths
}

function startOf(bytes) {
  const isNew = at => bytes.toString('latin1', at, at + magic.length) === magic
  if (isNew(0)) return 0
  if (bytes.length < oldHeaderLength || bytes.toString('latin1', 0, oldMagic.length) !== oldMagic)
    return undefined
  // How many entries the older format has is in the byte order of the machine that wrote it.
  for (const count of [bytes.readUInt32LE(12), bytes.readUInt32BE(12)]) {
    const end = oldHeaderLength + count * oldEntryLength
    const aligned = Math.ceil(end / 8) * 8
    if (isNew(aligned)) return aligned
  }
  return undefined
}

/** Older caches do not say their byte order: they are of machines that have the usual one. */
function isLittleEndian(flags) {
  const bigEndian = 3
  return ((flags ?? 0) & 3) !== bigEndian
}

function text(bytes, at) {
  const part = bytes.subarray(at, at + longestPath)
  const end = part.indexOf(0)
  return end === -1 ? undefined : decode(part.toString('latin1', 0, end))
}
