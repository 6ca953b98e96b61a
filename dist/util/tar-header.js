/** Bytes of a header; all else in an archive fills as many as a multiple of it. */
export const block = 512

/** @param bytes of one block */
export function parseHeader(bytes, damaged) {
  let sum = 8 * 0x20 // the checksum counts as spaces
  for (let i = 0; i < 148; i++) sum += bytes[i]
  for (let i = 156; i < block; i++) sum += bytes[i]
  if (parseNumber(bytes, 148, 156) !== sum) throw damaged('a header with a wrong checksum')

  const size = parseNumber(bytes, 124, 136)
  if (size === undefined) throw damaged('a header with an unreadable size')
  const [mode, uid, gid] = [
    parseNumber(bytes, 100, 108),
    parseNumber(bytes, 108, 116),
    parseNumber(bytes, 116, 124),
  ]
  if (mode === undefined || uid === undefined || gid === undefined)
    throw damaged('a header with an unreadable mode or owner')
  const flag = String.fromCharCode(bytes[156] ?? 0)
  const numbers = { mode: mode % 0o10000, uid, gid, size, flag }
  if (isExtension(flag)) return { ...numbers, name: '', linkName: '' }
  const name = text(bytes, 0, 100)
  // GNU's own format (`ustar` and two spaces) keeps other things in the place of the prefix.
  const posix = bytes[262] === 0 && bytes.toString('latin1', 257, 262) === 'ustar'
  const prefix = posix ? text(bytes, 345, 500) : ''
  return {
    ...numbers,
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkName: text(bytes, 157, 257),
  }
}

/** Whether what has this flag is no member, but says something of the members that follow. */
export function isExtension(flag) {
  return flag === 'x' || flag === 'g' || flag === 'L' || flag === 'K'
}

/** Octal digits, or GNU's base-256 with the first bit set; undefined if neither, negative or beyond safe integers. */
function parseNumber(bytes, start, end) {
  const first = bytes[start] ?? 0
  if (first & 0x80) {
    const field = bytes.subarray(start, end)
    const value = field.reduce((sum, byte, i) => sum * 256n + BigInt(i === 0 ? byte & 0x7f : byte), 0n)
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
  }
  // Nearly always there are just digits up to a NUL.
  let value = 0
  let at = start
  for (let digit = first - 0x30; digit >= 0 && digit < 8; digit = bytes[at] - 0x30) {
    value = value * 8 + digit
    if (++at === end) return value
  }
  if (bytes[at] === 0) return value
  const digits = text(bytes, start, end).trim()
  return /^[0-7]*$/.test(digits) ? Number.parseInt(`0${digits}`, 8) : undefined
}

/** Adds what an extended header says to what is known of the member to come, or of all, if the header is global. */
export function extend(next, globals, flag, data, damaged) {
  switch (flag) {
    case 'L':
      return { ...next, longName: text(data, 0, data.length) }
    case 'K':
      return { ...next, longLink: text(data, 0, data.length) }
    case 'x':
      return { ...next, pax: readPax(data, next.pax ?? new Map(), damaged) }
    default:
      readPax(data, globals, damaged)
      return next
  }
}

const paxKeys = /^(path|linkpath|size|uid|gid|GNU\.sparse\.(major|numblocks|map))$/

/** Adds those of the records `<length of the whole record> <key>=<value>\n` that matter here. */
function readPax(data, records, damaged) {
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at)
    const digits = space < 0 ? '' : data.toString('latin1', at, Math.min(space, at + 10))
    const end = at + (/^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0)
    const equals = data.indexOf(0x3d, space)
    if (equals < 0 || equals >= end - 1 || data[end - 1] !== 0x0a) throw damaged('a corrupt extended header')
    const key = data.toString('latin1', space + 1, equals)
    if (paxKeys.test(key)) records.set(key, data.toString('latin1', equals + 1, end - 1))
    at = end
  }
  return records
}

/** The number in a pax record; undefined where there is no such record. */
export function paxNumber(pax, key, damaged) {
  const value = pax.get(key)
  if (!value) return undefined
  if (!/^[0-9]+$/.test(value) || !Number.isSafeInteger(Number(value)))
    throw damaged(`a header with an unreadable ${key}`)
  return Number(value)
}

/** Up to the first NUL. */
function text(bytes, start, end) {
  if (bytes[start] === 0) return ''
  const nul = bytes.indexOf(0, start)
  return bytes.toString('latin1', start, nul < 0 || nul > end ? end : nul)
}
