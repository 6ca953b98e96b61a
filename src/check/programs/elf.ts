import { decode } from '../../image/archive/utf8.ts'

/** What decides whether a processor can run an ELF file. */
export type Machine = { readonly bits: 32 | 64; readonly bigEndian: boolean; readonly number: number }

/** What an ELF file says of how it is loaded. */
export type Elf = {
  readonly machine: Machine
  /** `e_type`: 2 is a program at a fixed place, 3 one that can be anywhere, or a library. */
  readonly type: number
  /** The program that loads it; undefined where it loads itself: a static program, most libraries. */
  readonly interpreter: string | undefined
  /** undefined where nothing is to be linked. */
  readonly dynamic: Dynamic | undefined
}

export type Dynamic = {
  readonly needed: readonly string[]
  readonly soname: string | undefined
  /** Not read where there is a `runpath`: then loaders do not, either. */
  readonly rpath: string | undefined
  readonly runpath: string | undefined
  /** Libraries are not looked for where the loader looks by default. */
  readonly noDefaultFolders: boolean
}

/** Reads at most `length` bytes of a file: fewer at its end. */
export type Read = (offset: number, length: number) => Buffer

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

export function isElf(head: Buffer): boolean {
  return head.toString('latin1', 0, 4) === '\x7fELF'
}

/** Why a file that begins as an ELF file does cannot be read as one. */
export class ElfError extends Error {}

/**
 * Reads of an ELF file what its loading needs: headers, dynamic section, some strings. Nothing of it is trusted.
 * https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
 * @throws ElfError when it is damaged
 */
export function parseElf(read: Read): Elf {
  const head = read(0, 64)
  if (!isElf(head)) throw new ElfError('it is no ELF file')
  const [bits, bigEndian] = [head[4] === 1 ? 32 : 64, head[5] === 2] as const
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

type Segment = {
  readonly type: number
  readonly offset: number
  readonly address: number
  readonly size: number
}

function interpreterOf(read: Read, { offset, size }: Segment): string {
  // As the kernel does.
  if (size < 2 || size > 4096) throw new ElfError('the name of its interpreter has a wrong length')
  const text = readAll(read, offset, size, 'the name of its interpreter')
  if (text.at(-1) !== 0) throw new ElfError('the name of its interpreter has no end')
  return decode(text.toString('latin1', 0, text.indexOf(0)))
}

function dynamicOf(
  read: Read,
  { offset, size }: Segment,
  segments: readonly Segment[],
  numbers: ReturnType<typeof reader>,
): Dynamic {
  const length = Math.min(size, longestDynamic)
  const table = readAll(read, offset, length, 'its dynamic section')
  const values = new Map<number, number[]>()
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
  const string = (index: number) => {
    if (strings === undefined) throw new ElfError('its strings are in no segment')
    const text = stringAt(read, strings + index)
    left -= text.length
    if (left < 0) throw new ElfError('its strings are too long')
    return text
  }
  const last = (key: number) => {
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

function fileOffset(segments: readonly Segment[], address: number): number {
  const around = segments.find(
    ({ type, address: start, size }) => type === segment.load && start <= address && address < start + size,
  )
  if (around === undefined) throw new ElfError('its strings are in no segment')
  return address - around.address + around.offset
}

function stringAt(read: Read, offset: number): string {
  for (const length of [256, longestString]) {
    const bytes = read(offset, length)
    const end = bytes.indexOf(0)
    if (end !== -1) return decode(bytes.toString('latin1', 0, end))
  }
  throw new ElfError('one of its strings has no end')
}

function readAll(read: Read, offset: number, length: number, what: string): Buffer {
  const bytes = read(offset, length)
  if (bytes.length < length) throw cut(what)
  return bytes
}

function cut(what: string): ElfError {
  return new ElfError(`${what} is cut off or wrong`)
}

function isOneOrTwo(byte: number | undefined): boolean {
  return byte === 1 || byte === 2
}

/** Reads numbers of an ELF file's byte order and width. Addresses that no file has are far beyond its end. */
function reader(bigEndian: boolean, wide: boolean) {
  const word = (bytes: Buffer, at: number) => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at))
  return {
    size: wide ? 8 : 4,
    half: (bytes: Buffer, at: number) => (bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)),
    word,
    address(bytes: Buffer, at: number) {
      if (!wide) return word(bytes, at)
      const value = bigEndian ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at)
      return value > BigInt(Number.MAX_SAFE_INTEGER) ? 2 ** 52 : Number(value)
    },
  }
}
