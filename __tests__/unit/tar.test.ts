import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../../src/util/errors.ts'
import { type ByteSource, indexTar, type TarLimits } from '../../src/util/tar.ts'
import { paxRecord, type TarInput, withChecksum, writeTar } from '../harness/tar-writer.ts'

function sourceOf(bytes: Buffer): ByteSource {
  return {
    name: 'x.tar',
    size: bytes.length,
    async read(position, length) {
      assert.ok(position >= 0 && length >= 0 && position + length <= bytes.length, 'read out of bounds')
      return Buffer.from(bytes.subarray(position, position + length))
    },
  }
}

const index = (bytes: Buffer, limits?: TarLimits) => indexTar(sourceOf(bytes), limits)

async function rejects(bytes: Buffer, message: RegExp, limits?: TarLimits) {
  await assert.rejects(index(bytes, limits), error => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, message)
    assert.match(error.message, /^(?:Damaged archive|Archive) x\.tar: /)
    return true
  })
}

const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 300, size: 'max' })
  .map(text => `a${text.replaceAll('\0', '')}b`)

const member: fc.Arbitrary<TarInput> = fc.oneof(
  fc.record({ name, data: fc.uint8Array({ maxLength: 1500, size: 'max' }) }),
  fc.record({ name: name.map(text => `${text}/`), flag: fc.constant('5') }),
  fc.record({ name, flag: fc.constantFrom('1', '2'), linkName: name }),
)

test('lists the members that were written, with their data, in pax and in GNU form', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(member, { maxLength: 12 }),
      fc.constantFrom('pax', 'gnu'),
      async (inputs, format) => {
        const bytes = writeTar(inputs, format)
        const found = (await index(bytes)).map(({ name, type, offset, size, linkName }) => ({
          name,
          type,
          linkName,
          data: bytes.toString('hex', offset, offset + size),
        }))
        const types: Record<string, string> = { 0: 'file', 1: 'hardlink', 2: 'symlink', 5: 'directory' }
        assert.deepEqual(
          found,
          inputs.map(({ name, flag = '0', linkName = '', data = '' }) => ({
            name,
            type: types[flag],
            linkName,
            data: Buffer.from(data).toString('hex'),
          })),
        )
      },
    ),
  )
})

test('whatever bytes are changed or cut off, the end is a list within bounds or a UserError', async () => {
  const bytes = writeTar([
    { name: 'l'.repeat(200), data: 'x'.repeat(700) },
    { name: 'd/', flag: '5' },
    { name: 's', flag: '2', linkName: 't'.repeat(150) },
    { name: 'last', data: 'y' },
  ])
  const change = fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255), checksum: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.nat(bytes.length), async (changes, length) => {
      const hostile = Buffer.from(bytes)
      for (const { at, byte, checksum } of changes) {
        hostile[at] = byte
        if (checksum) withChecksum(hostile.subarray(at - (at % 512), at - (at % 512) + 512))
      }
      try {
        for (const { offset, size } of await index(hostile.subarray(0, length)))
          assert.ok(Number.isSafeInteger(offset + size) && offset + size <= length)
      } catch (error) {
        if (!(error instanceof UserError)) throw error
      }
    }),
    { numRuns: 500 },
  )
})

test('an archive that is cut anywhere before its end mark is damaged', async () => {
  const bytes = writeTar([
    { name: 'l'.repeat(200), data: 'x'.repeat(700) },
    { name: 'last', data: 'y' },
  ])
  for (let length = 0; length < bytes.length - 1024 + 512; length += 100)
    await rejects(bytes.subarray(0, length), /at byte \d+\.$/)
  assert.equal((await index(bytes.subarray(0, bytes.length - 512))).length, 2)
})

test('reads what tar writes in each of its formats', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'tar-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  // Short enough for ustar's prefix, too long for its name.
  const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`
  mkdirSync(join(directory, 'in', 'd'.repeat(90)), { recursive: true })
  const contents: Record<string, string> = {
    [long]: 'long',
    'größe-日本': 'names',
    empty: '',
    big: 'z'.repeat(5000),
  }
  for (const [file, data] of Object.entries(contents)) writeFileSync(join(directory, 'in', file), data)
  symlinkSync('../big', join(directory, 'in', 'd'.repeat(90), 'link'))
  linkSync(join(directory, 'in', 'big'), join(directory, 'in', 'same'))

  for (const format of ['v7', 'ustar', 'oldgnu', 'gnu', 'posix']) {
    const names = ['./big', './same', './empty', './größe-日本', `./${'d'.repeat(90)}/link`]
    if (format !== 'v7') names.push(`./${long}`)
    const bytes = execFileSync('tar', ['-c', `--format=${format}`, '-C', join(directory, 'in'), ...names])
    const found = await index(bytes)
    assert.deepEqual(
      found.map(member => member.name),
      names,
      format,
    )
    for (const { name, type, offset, size, linkName } of found) {
      if (name === './same') assert.deepEqual([type, linkName, size], ['hardlink', './big', 0])
      else if (name.endsWith('/link')) assert.deepEqual([type, linkName, size], ['symlink', '../big', 0])
      else
        assert.equal(
          bytes.toString('utf8', offset, offset + size),
          contents[name.slice(2)],
          `${format} ${name}`,
        )
    }
  }
})

test('reads modes and owners that tar writes, also those that are too large for their fields', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'tar-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  writeFileSync(join(directory, 'file'), 'data')
  for (const [format, uid] of [
    ['v7', 65534],
    ['ustar', 2_000_000],
    ['gnu', 3_000_000],
    ['posix', 3_000_000],
  ] as const) {
    const owner = ['--mode=4750', `--owner=app:${uid}`, '--group=apps:70000']
    const bytes = execFileSync('tar', ['-c', `--format=${format}`, ...owner, '-C', directory, 'file'])
    const [found] = await index(bytes)
    assert.deepEqual([found?.mode, found?.uid, found?.gid], [0o4750, uid, 70_000], format)
  }
})

test('reads GNU tar archives of more than 8 GiB in either form, without reading their data', async () => {
  for (const format of ['gnu', 'pax'] as const) {
    const size = 9 * 1024 ** 3
    const bytes = writeTar([{ name: 'big', claimedSize: size }], format)
    const head = bytes.subarray(0, bytes.length - 1024)
    const source: ByteSource = {
      name: 'x.tar',
      size: head.length + size + 1024,
      async read(position, length) {
        if (position < head.length) return Buffer.from(head.subarray(position, position + length))
        assert.ok(position >= head.length + size, 'the data was read')
        return Buffer.alloc(length)
      },
    }
    assert.deepEqual(await indexTar(source), [
      { name: 'big', type: 'file', mode: 0o644, uid: 0, gid: 0, offset: head.length, size, linkName: '' },
    ])
  }
})

test('global pax records hold until a member says otherwise', async () => {
  const bytes = writeTar([
    { name: 'g', flag: 'g', data: paxRecord('path', 'everyone') + paxRecord('comment', 'x') },
    { name: 'a' },
    { name: 'x', flag: 'x', data: paxRecord('path', 'mine') },
    { name: 'b' },
    { name: 'x', flag: 'x', data: paxRecord('path', '') },
    { name: 'c' },
  ])
  assert.deepEqual(
    (await index(bytes)).map(found => found.name),
    ['everyone', 'mine', 'c'],
  )
})

test('what GNU tar keeps in the place of the prefix is no part of the name', async () => {
  const bytes = writeTar([{ name: 'a' }], 'gnu')
  bytes.write('14500000000', 345)
  withChecksum(bytes)
  assert.deepEqual(
    (await index(bytes)).map(found => found.name),
    ['a'],
  )
})

test('sizes of links and directories do not move what follows', async () => {
  const bytes = writeTar([
    { name: 'd/', flag: '5', claimedSize: 4096 },
    { name: 'l', flag: '1', linkName: 'f', claimedSize: 100_000 },
    { name: 'f', data: 'data' },
  ])
  assert.deepEqual(
    (await index(bytes)).map(found => [found.name, found.size]),
    [
      ['d/', 0],
      ['l', 0],
      ['f', 4],
    ],
  )
})

test('names the kind of damage and the place', async () => {
  const good = writeTar([
    { name: 'a', data: 'x' },
    { name: 'b', data: 'y' },
  ])
  const changed = (change: (bytes: Buffer) => void) => {
    const bytes = Buffer.from(good)
    change(bytes)
    return bytes
  }
  await rejects(
    changed(bytes => bytes.write('z', 1024)),
    /wrong checksum at byte 1024/,
  )
  await rejects(
    changed(bytes => bytes.fill(0, 0, 512)),
    /zeros where a header should be at byte 0/,
  )
  await rejects(
    changed(bytes => withChecksum(bytes.fill(0xff, 124, 136))),
    /unreadable size at byte 0/,
  )
  await rejects(
    changed(bytes => withChecksum(bytes.fill('9', 124, 135))),
    /unreadable size at byte 0/,
  )
  await rejects(writeTar([{ name: 'a', claimedSize: 1e6 }]), /member of 1000000 bytes is cut short at byte 0/)
  await rejects(writeTar([{ name: 'a', claimedSize: 2 ** 60 }], 'gnu'), /unreadable size/)
  await rejects(
    writeTar([{ name: 'x', flag: 'x', data: paxRecord('size', '99999999999999999') }, { name: 'a' }]),
    /unreadable size/,
  )
  await rejects(
    writeTar([{ name: 'x', flag: 'x', data: paxRecord('size', '-5') }, { name: 'a' }]),
    /unreadable size/,
  )
  await rejects(
    writeTar([{ name: 'x', flag: 'x', data: '99 path=a\n' }, { name: 'a' }]),
    /corrupt extended header/,
  )
  await rejects(
    writeTar([{ name: 'x', flag: 'x', data: '8 path=abcdefg\n' }, { name: 'a' }]),
    /corrupt extended header/,
  )
  await rejects(
    writeTar([{ name: 'x', flag: 'x', data: '0 path=a\n' }, { name: 'a' }]),
    /corrupt extended header/,
  )
  await rejects(
    writeTar([{ name: 'x', flag: 'x', data: paxRecord('GNU.sparse.major', '1') }, { name: 'a' }]),
    /sparse/,
  )
  await rejects(writeTar([{ name: 'a', flag: 'S' }]), /sparse/)
})

test('stays within its limits', async () => {
  const many = writeTar([{ name: 'a' }, { name: 'b' }, { name: 'c' }])
  assert.equal((await index(many, { members: 3 })).length, 3)
  await rejects(many, /more than 2 members at byte 1024/, { members: 2 })
  const headers = Array.from({ length: 9 }, () => ({ name: 'x', flag: 'g', data: paxRecord('path', 'p') }))
  await rejects(writeTar(headers), /more than 2 members/, { members: 2 })
  const long = writeTar([{ name: 'n'.repeat(5000) }])
  await rejects(long, /a name of more than 4096 bytes/)
  await rejects(long, /an extended header of 50\d\d bytes/, { header: 4096 })
})
