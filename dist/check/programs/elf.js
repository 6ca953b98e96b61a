import { decode } from '../../image/archive/utf8.js'

/** Linux reads no more program headers than this. */
const longestHeaders = 64 * 1024
/** Some programs have a few hundred libraries; each has one entry of 16 bytes. */
const longestDynamic = 64 * 1024
/** Nix's RUNPATHs can be longer than a path. */
const longestString = 64 * 1024
/** Of all names of libraries together. */
const longestNames = 1024 * 1024

const segment = { load: 1, dynamic: 2, interpreter: 3 }
const tag = { needed: 1, strings: 5, soname: 14, rpath: 15, runpath: 29, flags1: 0x6ffffffb }
const noDefaultLib = 0x800

export function isElf(head) {
  return head.toString('latin1', 0, 4) === '\x7fELF'
}

/** Why a file that begins as an ELF file does cannot be read as one. */
export class ElfError extends Error {}

/**
 * Reads of an ELF file what its loading needs: headers, dynamic section, some strings. Nothing of it is trusted.
 * https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
 * @throws ElfError when it is damaged
 */
export function parseElf(read) {
  const head = read(0, 64)
  if (!isElf(head)) throw new ElfError('it is no ELF file')
  const [bits, bigEndian] = [head[4] === 1 ? 32 : 64, head[5] === 2]
  const wide = bits === 64
  if (head.length < (wide ? 64 : 52) || !isOneOrTwo(head[4]) || !isOneOrTwo(head[5])) throw cut('its header')
  const numbers = reader(bigEndian, wide)
  const [type, number] = [numbers.half(head, 16), numbers.half(head, 18)]
  const at = numbers.address(head, wide ? 32 : 28)
  const [entrySize, count] = [numbers.half(head, wide ? 54 : 42), numbers.half(head, wide ? 56 : 44)]
  if (count > 0 && entrySize !== (wide ? 56 : 32))
    throw new ElfError('its program headers are of another size')
  const length = entrySize * count
  if (length > longestHeaders) throw new ElfError('it has too many program headers')
  const table = readAll(read, at, length, 'its program headers')

  const segments = Array.from({ length: count }, (_, i) => {
    const entry = table.subarray(i * entrySize, (i + 1) * entrySize)
    return {
      type: numbers.word(entry, 0),
      offset: numbers.address(entry, wide ? 8 : 4),
      address: numbers.address(entry, wide ? 16 : 8),
      size: numbers.address(entry, wide ? 32 : 16),
    }
  })
  const interpreter = segments.find(({ type }) => type === segment.interpreter)
  const dynamic = segments.find(({ type }) => type === segment.dynamic)
  const machine = { bits, bigEndian, number }
  return {
    machine,
    type,
    interpreter: interpreter && interpreterOf(read, interpreter),
    dynamic: dynamic && dynamicOf(read, dynamic, segments, numbers),
  }
}

function interpreterOf(read, { offset, size }) {
  // As the kernel does.
  if (size < 2 || size > 4096) throw new ElfError('the name of its interpreter has a wrong length')
  const text = readAll(read, offset, size, 'the name of its interpreter')
  if (text.at(-1) !== 0) throw new ElfError('the name of its interpreter has no end')
  return decode(text.toString('latin1', 0, text.indexOf(0)))
}

function dynamicOf(read, { offset, size }, segments, numbers) {
  const length = Math.min(size, longestDynamic)
  const table = readAll(read, offset, length, 'its dynamic section')
  const values = new Map()
  const step = 2 * numbers.size
  for (let at = 0; at + step <= length; at += step) {
    const key = numbers.address(table, at)
    if (key === 0) break
    const value = numbers.address(table, at + numbers.size)
    const others = values.get(key)
    if (others === undefined) values.set(key, [value])
    else others.push(value)
  }
  const address = values.get(tag.strings)?.at(-1)
  const strings = address === undefined ? undefined : fileOffset(segments, address)
  let left = longestNames
  const string = index => {
    if (strings === undefined) throw new ElfError('its strings are in no segment')
    const text = stringAt(read, strings + index)
    left -= text.length
    if (left < 0) throw new ElfError('its strings are too long')
    return text
  }
  const last = key => {
    const index = values.get(key)?.at(-1)
    return index === undefined ? undefined : string(index)
  }
  const runpath = last(tag.runpath)
  return {
    needed: (values.get(tag.needed) ?? []).map(string),
    soname: last(tag.soname),
    rpath: runpath === undefined ? last(tag.rpath) : undefined,
    runpath,
    noDefaultFolders: ((values.get(tag.flags1)?.at(-1) ?? 0) & noDefaultLib) !== 0,
  }
}

function fileOffset(segments, address) {
  const around = segments.find(
    ({ type, address: start, size }) => type === segment.load && start <= address && address < start + size,
  )
  if (around === undefined) throw new ElfError('its strings are in no segment')
  return address - around.address + around.offset
}

function stringAt(read, offset) {
  for (const length of [256, longestString]) {
    const bytes = read(offset, length)
    const end = bytes.indexOf(0)
    if (end !== -1) return decode(bytes.toString('latin1', 0, end))
  }
  throw new ElfError('one of its strings has no end')
}

function readAll(read, offset, length, what) {
  const bytes = read(offset, length)
  if (bytes.length < length) throw cut(what)
  return bytes
}

function cut(what) {
  return new ElfError(`${what} is cut off or wrong`)
}

function isOneOrTwo(byte) {
  return byte === 1 || byte === 2
}

/** Reads numbers of an ELF file's byte order and width. Addresses that no file has are far beyond its end. */
function reader(bigEndian, wide) {
  const word = (bytes, at) => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at))
  return {
    size: wide ? 8 : 4,
    half: (bytes, at) => (bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)),
    word,
    address(bytes, at) {
      if (!wide) return word(bytes, at)
      const value = bigEndian ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at)
      return value > BigInt(Number.MAX_SAFE_INTEGER) ? 2 ** 52 : Number(value)
    },
  }
}
