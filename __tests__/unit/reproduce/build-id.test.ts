import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buildIdsOf } from '../../../src/reproduce/build-id.ts'
import { compareFiles } from '../../../src/reproduce/file.ts'
import { sourceOf, told } from './sample.ts'

type Form = { readonly wide: boolean; readonly big: boolean }

/** An ELF file with code, a note of something else and one with the build id. */
function elf({ wide, big }: Form, id: string, code: string): Buffer {
  const word = (value: number) => {
    const bytes = Buffer.alloc(4)
    if (big) bytes.writeUInt32BE(value)
    else bytes.writeUInt32LE(value)
    return bytes
  }
  const half = (value: number) => (big ? word(value).subarray(2) : word(value).subarray(0, 2))
  const long = (value: number) => {
    if (!wide) return word(value)
    return big ? Buffer.concat([word(0), word(value)]) : Buffer.concat([word(value), word(0)])
  }
  const fillOf = ({ length }: { length: number }) => Buffer.alloc((4 - (length % 4)) % 4)
  const note = (type: number, name: string, value: Buffer) => {
    return Buffer.concat([
      word(name.length),
      word(value.length),
      word(type),
      Buffer.from(name),
      fillOf(name),
      value,
      fillOf(value),
    ])
  }
  const notes = Buffer.concat([
    note(1, 'Other\0', Buffer.alloc(15)),
    note(3, 'GNU\0', Buffer.from(id, 'hex')),
  ])
  const [head, entry] = wide ? [64, 56] : [52, 32]
  const at = head + 2 * entry
  const segment = (type: number, offset: number, size: number) =>
    wide
      ? [word(type), word(4), ...[offset, offset, offset, size, size, 4].map(long)]
      : [word(type), ...[offset, offset, offset, size, size, 4, 4].map(word)]
  return Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, big ? 2 : 1, 1, ...Buffer.alloc(9)]),
    ...[half(2), half(62), word(1), long(0), long(head), long(0), word(0)],
    ...[half(head), half(entry), half(2), half(64), half(0), half(0)],
    ...segment(1, 0, at),
    ...segment(4, at, notes.length),
    notes,
    Buffer.from(code),
  ])
}

const forms = [true, false].flatMap(wide => [true, false].map(big => ({ wide, big })))
const hex = fc.stringMatching(/^(?:[0-9a-f]{2}){20}$/)

test('the build id is found, in all four forms of ELF', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...forms), hex, async (form, id) => {
      const file = elf(form, id, 'code')
      const ranges = await buildIdsOf(sourceOf(file))
      assert.deepEqual(
        ranges.map(({ start, end }) => file.toString('hex', start, end)),
        [id],
      )
    }),
  )
})

test('a build id that alone differs is one; otherwise what it was made of counts', async () => {
  for (const form of forms) {
    const [one, other] = ['11'.repeat(20), '22'.repeat(20)]
    const compare = (first: Buffer, second: Buffer) =>
      told(compareFiles(sourceOf(first), sourceOf(second), { where: 'app', scratch: '/nonexistent' }))
    assert.deepEqual(await compare(elf(form, one, 'code'), elf(form, other, 'code')), ['app build-id'])
    assert.deepEqual(await compare(elf(form, one, 'code'), elf(form, other, 'cold')), ['app content'])
    const times = ['built 2026-11-21', 'built 2026-11-22'] as const
    assert.deepEqual(await compare(elf(form, one, times[0]), elf(form, other, times[1])), ['app time'])
    assert.deepEqual(await compare(elf(form, one, 'code'), elf(form, one, 'code')), [])
  }
})

test('what only looks like ELF has none', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...forms),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat(),
      async (form, noise, at) => {
        const file = elf(form, '00'.repeat(20), 'code')
        Buffer.from(noise).copy(file, 4 + (at % file.length))
        for (const range of await buildIdsOf(sourceOf(file.subarray(0, at % (file.length + 1)))))
          assert.ok(range.start <= range.end && range.end <= file.length)
      },
    ),
  )
})
