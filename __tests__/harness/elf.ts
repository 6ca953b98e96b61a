import type { Elf } from '../../src/check/programs/elf.ts'
import { encode } from '../../src/image/archive/utf8.ts'

/** Writes an ELF file that has nothing but what its loading is decided by. */
export function makeElf({ machine, type, interpreter, dynamic }: Elf): Buffer {
  const wide = machine.bits === 64
  const [headerSize, entrySize] = wide ? [64, 56] : [52, 32]
  const strings: Buffer[] = [Buffer.alloc(1)]
  let length = 1
  const indexOf = (text: string) => {
    const at = length
    const bytes = Buffer.from(`${encode(text)}\0`, 'latin1')
    strings.push(bytes)
    length += bytes.length
    return at
  }
  const has = (tag: number, text: string | undefined) =>
    text === undefined ? [] : [[tag, indexOf(text)] as const]
  const tags =
    dynamic === undefined
      ? []
      : [
          ...dynamic.needed.flatMap(name => has(1, name)),
          ...has(14, dynamic.soname),
          ...has(15, dynamic.rpath),
          ...has(29, dynamic.runpath),
          ...(dynamic.noDefaultFolders ? [[0x6ffffffb, 0x800] as const] : []),
        ]
  const name = Buffer.from(interpreter === undefined ? '' : `${encode(interpreter)}\0`, 'latin1')
  const table = Buffer.concat(strings)
  const count = 1 + Number(interpreter !== undefined) + Number(dynamic !== undefined)
  const nameAt = headerSize + count * entrySize
  const tableAt = nameAt + name.length
  const dynamicAt = tableAt + table.length
  const dynamicSize = (tags.length + 2) * (wide ? 16 : 8)
  const bytes = Buffer.alloc(dynamicAt + (dynamic === undefined ? 0 : dynamicSize))

  const half = (value: number, at: number) =>
    machine.bigEndian ? bytes.writeUInt16BE(value, at) : bytes.writeUInt16LE(value, at)
  const word = (value: number, at: number) =>
    machine.bigEndian ? bytes.writeUInt32BE(value, at) : bytes.writeUInt32LE(value, at)
  const address = (value: number, at: number) => {
    if (!wide) word(value, at)
    else if (machine.bigEndian) bytes.writeBigUInt64BE(BigInt(value), at)
    else bytes.writeBigUInt64LE(BigInt(value), at)
  }
  bytes.write('\x7fELF', 'latin1')
  bytes.set([wide ? 2 : 1, machine.bigEndian ? 2 : 1, 1], 4)
  half(type, 16)
  half(machine.number, 18)
  address(headerSize, wide ? 32 : 28)
  half(entrySize, wide ? 54 : 42)
  half(count, wide ? 56 : 44)
  // Addresses are other numbers than places in the file.
  const base = 0x10000
  let at = headerSize
  const segment = (kind: number, offset: number, size: number) => {
    word(kind, at)
    address(offset, at + (wide ? 8 : 4))
    address(base + offset, at + (wide ? 16 : 8))
    address(size, at + (wide ? 32 : 16))
    at += entrySize
  }
  segment(1, 0, bytes.length)
  if (interpreter !== undefined) segment(3, nameAt, name.length)
  if (dynamic !== undefined) segment(2, dynamicAt, dynamicSize)
  name.copy(bytes, nameAt)
  table.copy(bytes, tableAt)
  const entries = dynamic === undefined ? [] : [[5, base + tableAt] as const, ...tags, [0, 0] as const]
  for (const [i, [tag, value]] of entries.entries()) {
    const entry = dynamicAt + i * (wide ? 16 : 8)
    address(tag, entry)
    address(value, entry + (wide ? 8 : 4))
  }
  return bytes
}
