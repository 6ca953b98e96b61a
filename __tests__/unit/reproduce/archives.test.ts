import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { compareFiles } from '../../../src/reproduce/file.ts'
import { compareOutputs } from '../../../src/reproduce/image.ts'
import { silent } from '../../../src/util/log.ts'
import { paxRecord, type TarInput, withChecksum, writeTar } from '../../harness/tar-writer.ts'
import { sourceOf, told } from './sample.ts'

const scratch = mkdtempSync(join(tmpdir(), 'reproduce-'))
after(() => rmSync(scratch, { recursive: true }))

const compare = (first: Buffer, second: Buffer) =>
  told(compareFiles(sourceOf(first), sourceOf(second), { where: 'x', scratch }))

test('members of a tar: added, removed, changed, of another type, linked elsewhere', async () => {
  const name = fc.stringMatching(/^[a-z]{1,6}$/).map(text => `dir/${text}`)
  const change = fc.constantFrom('none', 'removed', 'content', 'type', 'link')
  const format = fc.constantFrom('pax', 'gnu')
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(name, { maxLength: 12 }),
      fc.infiniteStream(change),
      format,
      async (names, changes, format) => {
        const expected: string[] = []
        const always = { name: 'always', data: 'text' }
        const pairs = names.map((name): [TarInput, TarInput | undefined] => {
          const [what] = changes.take(1)
          const told = { removed: 'removed', content: 'content', type: 'type', link: 'link', none: '' }[
            what ?? 'none'
          ]
          if (told !== '') expected.push(`x: ${name} ${told}`)
          if (what === 'removed') return [{ name, data: 'text' }, undefined]
          if (what === 'content')
            return [
              { name, data: 'text' },
              { name, data: 'other text' },
            ]
          if (what === 'type')
            return [
              { name, data: 'text' },
              { name: `${name}`, flag: '5' },
            ]
          if (what === 'link')
            return [
              { name, flag: '2', linkName: 'a' },
              { name, flag: '2', linkName: 'b' },
            ]
          return [
            { name, data: 'text' },
            { name, data: 'text' },
          ]
        })
        const first = writeTar([always, ...pairs.map(([one]) => one)], format)
        const second = writeTar([always, ...pairs.flatMap(([, other]) => other ?? [])], format)
        assert.deepEqual(await compare(first, second), expected)
        const back = expected.map(text => text.replace(/ removed$/, ' added'))
        assert.deepEqual((await compare(second, first)).sort(), back.sort())
      },
    ),
  )
})

/** What this process has open, also what has no name any more. */
function openFiles(): string[] {
  const folder = '/proc/self/fd'
  return readdirSync(folder).flatMap(fd => {
    try {
      return readlinkSync(join(folder, fd))
    } catch {
      // That of the folder itself.
      return []
    }
  })
}

/** A tar whose member's header has other bytes in a field. */
function withField(at: number, text: string): Buffer {
  const tar = writeTar([{ name: 'a', data: 'text' }])
  tar.write(text, at)
  withChecksum(tar.subarray(0, 512)).copy(tar)
  return tar
}

test('what is written about a member: time, mode, owner', async () => {
  const plain = writeTar([{ name: 'a', data: 'text' }])
  const rows = [
    [withField(136, '14371573400'), 'time'],
    [withField(100, '0000755'), 'mode'],
    [withField(108, '0001750'), 'owner'],
    [withField(265, 'nixbld'), 'owner'],
  ] as const
  for (const [tar, kind] of rows) assert.deepEqual(await compare(plain, tar), [`x: a ${kind}`])
  const pax = (time: string) =>
    writeTar([
      { name: '././@PaxHeader', flag: 'x', data: paxRecord('mtime', time) },
      { name: 'a', data: 'text' },
    ])
  assert.deepEqual(await compare(pax('1700000000.25'), pax('1700000000.75')), ['x: a time'])
})

test('the same members in another order', async () => {
  const [a, b, c] = ['a', 'b', 'c'].map(name => ({ name, data: name }))
  assert.ok(a && b && c)
  assert.deepEqual(await compare(writeTar([a, b, c]), writeTar([a, c, b])), ['x: b order'])
  // What is added moves nothing.
  assert.deepEqual(await compare(writeTar([a, c]), writeTar([a, b, c])), ['x: b added'])
})

test('compressed archives: what differs in them, else how they are compressed', async () => {
  const tar = writeTar([{ name: 'page', data: 'text '.repeat(2000) }])
  const other = writeTar([{ name: 'page', data: 'words '.repeat(2000) }])
  assert.deepEqual(await compare(gzipSync(tar), gzipSync(other)), ['x: page content'])
  assert.deepEqual(await compare(zstdCompressSync(tar), zstdCompressSync(other)), ['x: page content'])
  assert.deepEqual(await compare(gzipSync(tar, { level: 1 }), gzipSync(tar, { level: 9 })), ['x packing'])
  const later = gzipSync(tar)
  later.writeUInt32LE(1_700_000_000, 4)
  assert.deepEqual(await compare(gzipSync(tar), later), ['x time'])
  const nested = (inner: Buffer) => gzipSync(writeTar([{ name: 'inner.tar.gz', data: inner }]))
  assert.deepEqual(await compare(nested(gzipSync(tar)), nested(gzipSync(other))), [
    'x: inner.tar.gz: page content',
  ])
  assert.deepEqual(readdirSync(scratch), [], 'nothing is left of what was unpacked')
  assert.ok(!openFiles().some(file => file.startsWith(scratch)), 'nor open')
})

test('what is damaged or cut short is compared by its bytes', async () => {
  const tar = writeTar([{ name: 'page', data: 'text' }])
  assert.deepEqual(await compare(tar, tar.subarray(0, 600)), ['x content'])
  const packed = gzipSync(tar)
  assert.deepEqual(await compare(packed, packed.subarray(0, 40)), ['x packing'])
})

test('archives in one another are looked into only so far', async () => {
  const deep = (data: string, depth: number): Buffer =>
    depth === 0 ? Buffer.from(data) : writeTar([{ name: `${depth}`, data: deep(data, depth - 1) }])
  const [said = ''] = await compare(deep('one', 12), deep('two', 12))
  assert.match(said, /^x: 12: 11: 10: 9: 8 /)
})

/** A docker archive, whose layers are named by the hash of their content. */
function dockerArchive(layers: readonly Buffer[], created: string): Buffer {
  const hash = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')
  const config = JSON.stringify({
    ...{ architecture: 'amd64', os: 'linux', created },
    rootfs: { type: 'layers', diff_ids: layers.map(layer => `sha256:${hash(layer)}`) },
  })
  const names = layers.map(layer => `${hash(layer)}/layer.tar`)
  return writeTar([
    ...layers.map((data, at) => ({ name: names[at] ?? '', data })),
    { name: `${hash(config)}.json`, data: config },
    { name: 'manifest.json', data: JSON.stringify([{ Config: `${hash(config)}.json`, Layers: names }]) },
  ])
}

async function compareImages(first: Buffer, second: Buffer): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'outputs-'))
  try {
    const [one, other] = [join(folder, 'image'), join(folder, 'image.check')]
    writeFileSync(one, first)
    writeFileSync(other, second)
    const options = { name: 'image.tar', scratch, env: {}, now: new Date(0), log: silent }
    const platform = { os: 'linux', architecture: 'amd64' }
    return await told(compareOutputs(one, other, { ...options, platform, pathInfo: async () => new Map() }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('in an image it is said by layer and file, whatever the archive calls its layers', async () => {
  const layer = (data: string) =>
    writeTar([
      { name: './nix/store/a', data: 'same' },
      { name: './nix/store/b', data },
    ])
  const [base, one, two] = [layer('base'), layer('one'), layer('two')]
  const day = '2026-11-21T00:00:00Z'
  const first = dockerArchive([base, one], day)
  const expected = ['layer 2: nix/store/b content']
  assert.deepEqual(await compareImages(first, dockerArchive([base, two], day)), expected)
  assert.deepEqual(await compareImages(gzipSync(first), gzipSync(dockerArchive([base, two], day))), expected)
  assert.deepEqual(await compareImages(first, dockerArchive([base], day)), [
    'layer 2 removed',
    'config content',
  ])
  assert.deepEqual(await compareImages(first, dockerArchive([base, one], '2026-11-22T00:00:00Z')), [
    'config time',
  ])
  assert.deepEqual(await compareImages(gzipSync(first), gzipSync(first, { level: 1 })), ['image.tar packing'])
  assert.deepEqual(await compareImages(first, first), [])
})
