import { UserError } from './errors.js'

const block = 512

/** @param head the first 512 bytes, or as many as there are */
export function isTar(head) {
  return head.toString('latin1', 257, 262) === 'ustar'
}

/**
 * Lists the members of a tar archive and where their data is, without reading that data.
 * Knows ustar with prefixes, pax (`path`, `linkpath`, `size`, also global), GNU long names and base-256 numbers:
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13
 * https://www.gnu.org/software/tar/manual/html_node/Standard.html
 * @throws UserError naming the source and the offset when the archive is cut short, corrupt or beyond a limit.
 */
export async function indexTar(source, limits = {}) {
  const { members: maxMembers = 16_384, name: maxName = 4096, header: maxHeader = 1024 * 1024 } = limits
  const members = []
  const globals = new Map()
  let next = {}
  let headers = 0
  let position = 0

  for (;;) {
    const at = position
    const damaged = what =>
      new UserError(`Damaged archive ${source.name}: ${what} at byte ${at}.`, {
        advice: 'Build the image again. If that does not help, see whether the disk is full or failing.',
      })
    if (at + block > source.size) throw damaged('it ends without an end mark')
    const bytes = await source.read(at, block)
    position += block
    if (isZero(bytes)) {
      // One zero block at the very end is accepted, as other readers do.
      if (position + block <= source.size && !isZero(await source.read(position, block)))
        throw damaged('there are zeros where a header should be')
      return members
    }
    // Extended headers count too, so that an archive of nothing else is bounded as well.
    if (++headers > 4 * maxMembers || members.length >= maxMembers)
      throw damaged(`more than ${maxMembers} members`)

    const header = parseHeader(bytes, damaged)
    const extension = header.flag === 'x' || header.flag === 'g' || header.flag === 'L' || header.flag === 'K'
    const pax = new Map([...globals, ...(next.pax ?? [])])
    const size = extension ? header.size : (paxSize(pax, damaged) ?? header.size)
    const dataSize = hasData(header.flag) ? size : 0
    const padded = Math.ceil(dataSize / block) * block
    if (position + dataSize > source.size) throw damaged(`a member of ${dataSize} bytes is cut short`)

    if (extension) {
      if (size > maxHeader) throw damaged(`an extended header of ${size} bytes`)
      next = merge(next, globals, header.flag, await source.read(position, size), damaged)
    } else {
      if (header.flag === 'S' || [...pax.keys()].some(key => key.startsWith('GNU.sparse.')))
        throw damaged('a sparse member, which is not supported,')
      const name = pax.get('path') || next.longName || header.name
      const linkName = pax.get('linkpath') || next.longLink || header.linkName
      if (Buffer.byteLength(name) > maxName || Buffer.byteLength(linkName) > maxName)
        throw damaged(`a name of more than ${maxName} bytes`)
      const type = typeOf(header.flag, name)
      members.push({ name, type, offset: position, size: type === 'file' ? size : 0, linkName })
      next = {}
    }
    position += padded
  }
}

function merge(next, globals, flag, data, damaged) {
  switch (flag) {
    case 'L':
      return { ...next, longName: text(data) }
    case 'K':
      return { ...next, longLink: text(data) }
    case 'x':
      return { ...next, pax: new Map([...(next.pax ?? []), ...parsePax(data, damaged)]) }
    default:
      for (const [key, value] of parsePax(data, damaged)) globals.set(key, value)
      return next
  }
}

function parseHeader(bytes, damaged) {
  let sum = 8 * 0x20 // the checksum counts as spaces
  for (let i = 0; i < block; i++) if (i < 148 || i >= 156) sum += bytes[i] ?? 0
  if (parseNumber(bytes.subarray(148, 156)) !== sum) throw damaged('a header with a wrong checksum')

  const size = parseNumber(bytes.subarray(124, 136))
  if (size === undefined) throw damaged('a header with an unreadable size')
  const name = text(bytes.subarray(0, 100))
  // GNU's own format (`ustar` and two spaces) keeps other things in the place of the prefix.
  const posix = bytes.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = posix ? text(bytes.subarray(345, 500)) : ''
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size,
    flag: String.fromCharCode(bytes[156] ?? 0),
    linkName: text(bytes.subarray(157, 257)),
  }
}

/** Octal digits, or GNU's base-256 with the first bit set; undefined if neither, negative or beyond safe integers. */
function parseNumber(field) {
  const first = field[0] ?? 0
  if (first & 0x80) {
    const value = field.reduce((sum, byte, i) => sum * 256n + BigInt(i === 0 ? byte & 0x7f : byte), 0n)
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
  }
  const digits = text(field).trim()
  return /^[0-7]*$/.test(digits) ? Number.parseInt(`0${digits}`, 8) : undefined
}

const paxKeys = /^(path|linkpath|size|GNU\.sparse\.(major|numblocks|map))$/

/** Those of the records `<length of the whole record> <key>=<value>\n` that matter here. */
function parsePax(data, damaged) {
  const records = new Map()
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at)
    const digits = space < 0 ? '' : data.toString('latin1', at, Math.min(space, at + 10))
    const end = at + (/^[1-9][0-9]*$/.test(digits) ? Number(digits) : 0)
    const equals = data.indexOf(0x3d, space)
    if (equals < 0 || equals >= end - 1 || data[end - 1] !== 0x0a) throw damaged('a corrupt extended header')
    const key = data.toString('utf8', space + 1, equals)
    if (paxKeys.test(key)) records.set(key, data.toString('utf8', equals + 1, end - 1))
    at = end
  }
  return records
}

function paxSize(pax, damaged) {
  const size = pax.get('size')
  if (!size) return undefined
  if (!/^[0-9]+$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw damaged('a header with an unreadable size')
  return Number(size)
}

/** Links, devices, directories and pipes have none, whatever their header says. */
function hasData(flag) {
  return !/^[1-6]$/.test(flag)
}

function typeOf(flag, name) {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
      // Archives from before ustar mark directories by the slash alone.
      return name.endsWith('/') ? 'directory' : 'file'
    case '1':
      return 'hardlink'
    case '2':
      return 'symlink'
    case '5':
      return 'directory'
    default:
      return 'other'
  }
}

function isZero(bytes) {
  return bytes.every(byte => byte === 0)
}

/** Up to the first NUL. */
function text(bytes) {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}
