import { posix } from 'node:path'
import { fitsOctal, fitsText, paxHeader, paxRecord, ustarBlock } from './header.js'
import { isAscii } from './utf8.js'

/**
 * The header, with what extends it, that Go's archive/tar writes where no format is asked for: ustar if the member
 * fits, with its name in two parts if need be, else pax.
 * https://pkg.go.dev/archive/tar#Format
 */
export function goHeader(member) {
  const { name, target, uid, gid, uname, gname, size, mtime } = member
  const device = '0000000\0'
  // As Go sorts them.
  const texts = [
    ['gname', gname, 32],
    ['linkpath', target, 100],
    ['path', name, 100],
    ['uname', uname, 32],
  ]
  const numbers = [
    ['gid', gid, 8],
    ['mtime', mtime, 12],
    ['size', size, 12],
    ['uid', uid, 8],
  ]
  const long = [
    ...texts.filter(([, value, width]) => !fitsText(value, width)),
    ...numbers.filter(([, value, width]) => !fitsOctal(value, width)),
  ]
  if (long.length === 0) return ustarBlock({ ...member, device, prefix: '' })
  if (long.length === 1 && long[0]?.[0] === 'path') {
    const split = splitName(name)
    if (split) return ustarBlock({ ...member, device, ...split })
  }
  const records = long
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => paxRecord(key, String(value)))
  const block = ustarBlock({
    ...member,
    name: field(name, 100),
    target: field(target, 100),
    uname: field(uname, 32),
    gname: field(gname, 32),
    uid: fitsOctal(uid, 8) ? uid : 0,
    gid: fitsOctal(gid, 8) ? gid : 0,
    size: fitsOctal(size, 12) ? size : 0,
    mtime: fitsOctal(mtime, 12) ? mtime : 0,
    device,
    prefix: '',
  })
  return Buffer.concat([paxHeader(paxName(name), records.join('')), block])
}

/** What ustar puts together with a slash again: up to 155 bytes and up to 100, split as late as possible. */
function splitName(name) {
  if (!isAscii(name)) return undefined
  const slash = name.lastIndexOf('/', Math.min(155, name.length - 1))
  const last = name.slice(slash + 1)
  if (slash <= 0 || last === '' || last.length > 100) return undefined
  return { prefix: name.slice(0, slash), name: last }
}

/** How Go calls the member that extends a header. */
function paxName(name) {
  const slash = name.lastIndexOf('/') + 1
  const whole = toAscii(posix.join(name.slice(0, slash), 'PaxHeaders.0', name.slice(slash)))
  return whole.slice(0, 100).replace(/\/+$/, '')
}

/** What is left of a string for its field. A slash at the end of the cut would make some readers see a directory. */
function field(value, width) {
  const ascii = toAscii(value)
  if (ascii.length <= width || ascii[width - 1] !== '/') return ascii
  // Only the first of several slashes goes.
  const kept = ascii.slice(0, width).replace(/\/+$/, '').length
  return `${ascii.slice(0, kept)}\0${ascii.slice(kept + 1, width)}`
}

function toAscii(raw) {
  return raw.replace(/[\u0080-\uffff]/g, '')
}
