import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { partsBin } from '../../../../script/parts/paths.ts'
import { type Elf, ElfError, parseElf, type Read } from '../../../../src/check/programs/elf.ts'
import { makeElf } from '../../../harness/elf.ts'

/** Reads as a file is read, and counts how much. */
function readOf(bytes: Buffer): Read & { total: number } {
  const read = (offset: number, length: number) => {
    const part = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length))
    read.total += part.length
    return part
  }
  read.total = 0
  return read
}

const parse = (bytes: Buffer) => parseElf(readOf(bytes))

test('real programs', () => {
  const node = parse(readFileSync(process.execPath))
  assert.match(node.interpreter ?? '', /^\/lib.*\/ld-linux/)
  assert.ok(node.dynamic?.needed.includes('libc.so.6'))
  const busybox = parse(readFileSync(join(partsBin, 'busybox')))
  assert.deepEqual(
    [busybox.interpreter, busybox.dynamic, busybox.machine],
    [undefined, undefined, node.machine],
  )
  const nix = parse(readFileSync(join(partsBin, 'nix')))
  assert.match(nix.dynamic?.runpath ?? nix.dynamic?.rpath ?? '', /^\//)
})

const plain = { noNullPrototype: true }
const name = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '.', '-', 'é', '$'),
  minLength: 1,
  maxLength: 300,
})
const machine = fc.record(
  {
    bits: fc.constantFrom(32 as const, 64 as const),
    bigEndian: fc.boolean(),
    number: fc.integer({ min: 1, max: 300 }),
  },
  plain,
)
const anyElf: fc.Arbitrary<Elf> = fc.record(
  {
    machine,
    type: fc.constantFrom(2, 3),
    interpreter: fc.option(name, { nil: undefined }),
    dynamic: fc.option(
      fc.record(
        {
          needed: fc.array(name, { maxLength: 20 }),
          soname: fc.option(name, { nil: undefined }),
          rpath: fc.option(name, { nil: undefined }),
          runpath: fc.option(name, { nil: undefined }),
          noDefaultFolders: fc.boolean(),
        },
        plain,
      ),
      { nil: undefined },
    ),
  },
  plain,
)

test('what is written into an ELF file of any machine is read from it', () => {
  fc.assert(
    fc.property(anyElf, elf => {
      const { dynamic } = elf
      // Of an RPATH beside a RUNPATH nobody takes notice.
      const rpath = dynamic?.runpath === undefined ? dynamic?.rpath : undefined
      assert.deepEqual(parse(makeElf(elf)), { ...elf, dynamic: dynamic && { ...dynamic, rpath } })
    }),
  )
})

test('whatever is wrong in an ELF file is an ElfError, and little of it is read', () => {
  const damage = fc.array(fc.record({ at: fc.nat(700), byte: fc.nat(255) }), { maxLength: 30 })
  fc.assert(
    fc.property(anyElf, damage, fc.nat(1500), (elf, changes, length) => {
      const bytes = Buffer.from(makeElf(elf)).subarray(0, length)
      for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
      const read = readOf(bytes)
      try {
        parseElf(read)
      } catch (error) {
        assert.ok(error instanceof ElfError, String(error))
      }
      assert.ok(read.total <= 4 * 1024 * 1024)
    }),
    { numRuns: 2000 },
  )
})

test('a real program, cut off anywhere, is read or refused', () => {
  const bytes = readFileSync(join(partsBin, 'patchelf'))
  for (let length = 0; length < 3000; length += 7) {
    try {
      parse(bytes.subarray(0, length))
    } catch (error) {
      assert.ok(error instanceof ElfError, String(error))
    }
  }
  assert.throws(() => parse(bytes.subarray(0, 63)), ElfError)
  assert.throws(() => parse(bytes.subarray(0, 100)), /program headers is cut off|headers/)
})

test('a file that claims strings without bounds is refused', () => {
  const long = 'a'.repeat(60_000)
  const dynamic = {
    needed: Array.from({ length: 100 }, () => long),
    soname: undefined,
    rpath: undefined,
    runpath: undefined,
    noDefaultFolders: false,
  }
  const elf: Elf = {
    machine: { bits: 64, bigEndian: false, number: 62 },
    type: 3,
    interpreter: undefined,
    dynamic,
  }
  assert.throws(() => parse(makeElf(elf)), /its strings are too long/)
})
