import { fitsOctal, fitsText, paxHeader, paxRecord, ustarBlock } from './header.js'
import { beyondAscii, isUtf8 } from './utf8.js'

/**
 * The header, with what extends it, that Python's tarfile (3.9 to 3.14) writes in its default format.
 * https://docs.python.org/3/library/tarfile.html#tarfile.PAX_FORMAT
 */
export function pythonHeader(member) {
  const { type, target, mode, uid, gid, uname, gname, size, mtime } = member
  const name = type === '5' ? `${member.name}/` : member.name
  const texts = [
    ['path', name, 100],
    ['linkpath', target, 100],
    ['uname', uname, 32],
    ['gname', gname, 32],
  ]
  const numbers = [
    ['uid', uid, 8],
    ['gid', gid, 8],
    ['size', size, 12],
    ['mtime', mtime, 12],
  ]
  const long = [
    ...texts.filter(([, value, width]) => !fitsText(value, width)),
    ...numbers.filter(([, value, width]) => !fitsOctal(value, width)),
  ]
  const block = ustarBlock({
    type,
    name: toAscii(name),
    target: toAscii(target),
    mode,
    uid: toOctal(uid, 8),
    gid: toOctal(gid, 8),
    uname: toAscii(uname),
    gname: toAscii(gname),
    size: toOctal(size, 12),
    mtime: toOctal(mtime, 12),
    device: '',
    prefix: '',
  })
  if (long.length === 0) return block
  const records = long.map(([key, value]) => paxRecord(key, String(value)))
  // What is not UTF-8 is said to be bytes.
  if (long.some(([, value]) => !isUtf8(String(value)))) records.unshift(paxRecord('hdrcharset', 'BINARY'))
  return Buffer.concat([paxHeader('././@PaxHeader', records.join('')), block])
}

/**
 * Puts raw names into the order of Python's strings: by code point, where a byte that is not part of any counts as
 * one from U+DC80 (PEP 383). That is the order of bytes as long as all of it is UTF-8.
 */
export function pythonSort(names) {
  if (names.every(isUtf8)) return names.sort()
  const keyed = names.map(name => ({ name, key: name.replace(beyondAscii, escaped) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ name }) => name)
}

/** The raw form of what Python makes of a byte: UTF-8 of U+DC80 to U+DCFF, if that were allowed. */
function escaped(found, character) {
  if (character !== undefined) return character
  const byte = found.charCodeAt(0)
  return `\xed${byte < 0xc0 ? '\xb2' : '\xb3'}${String.fromCharCode(0x80 | (byte & 0x3f))}`
}

function toAscii(raw) {
  return raw.replace(beyondAscii, '?')
}

function toOctal(value, width) {
  return fitsOctal(value, width) ? value : 0
}
