import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { batches } from '../../../src/cache/nars.ts'
import { fillPacks, type Member, makePack, sizeInCache } from '../../../src/cache/pack.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { samplePath } from './sample.ts'

test('packs are between enough and twice as much; the last one may be smaller, one of one path larger', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ size: fc.integer({ min: 1, max: 300 }) })), members => {
      const packs = fillPacks(members, 100)
      assert.deepEqual(new Set(packs.flat()), new Set(members))
      assert.equal(packs.flat().length, members.length)
      const sizes = packs.map(pack => pack.reduce((sum, { size }) => sum + size, 0))
      const small = packs.filter((pack, at) => pack.length > 1 || (sizes[at] ?? 0) < 100)
      for (const pack of packs) if (!small.includes(pack)) assert.equal(pack.length, 1)
      const full = small.filter(pack => pack.reduce((sum, { size }) => sum + size, 0) >= 100)
      assert.ok(small.length - full.length <= 1)
      for (const pack of full) assert.ok(pack.reduce((sum, { size }) => sum + size, 0) < 200)
    }),
  )
})

test('Nix is asked for all paths once, in order, and for not too many at a time', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 1e9 })))
  fc.assert(
    fc.property(sizes, numbers => {
      const infos = numbers.map(narSize => ({ narSize }) as PathInfo)
      const made = batches(infos)
      assert.deepEqual(made.flat(), infos)
      for (const batch of made) {
        const bytes = batch.reduce((sum, { narSize }) => sum + narSize, 0)
        assert.ok(batch.length === 1 || (batch.length > 1 && bytes <= 512 * 1024 ** 2))
      }
    }),
  )
  const many = Array.from({ length: 12_000 }, () => ({ narSize: 1 }) as PathInfo)
  assert.deepEqual(
    batches(many).map(({ length }) => length),
    [5000, 5000, 2000],
  )
})

test('a pack is an ordinary binary cache, named by what is in it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'pack-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const member = (name: string, content: string, more = {}): Member => {
    const path = samplePath(name, { fileSize: content.length, ...more })
    const file = join(folder, `${path.fileHash}.nar.zst`)
    writeFileSync(file, content)
    const { fileHash, fileSize } = path
    return { path, size: sizeInCache(path), nar: { fileHash, fileSize, file } }
  }
  const a = member('a', 'one')
  const b = member('b', 'two', { references: [a.path.name] })
  const twin = member('twin', 'one', { fileHash: a.path.fileHash })

  const pack = await makePack([a, b, twin], folder)
  assert.deepEqual(
    readdirSync(pack.folder, { recursive: true }).sort(),
    [
      ...[a, b, twin].map(({ path }) => `${path.name.slice(0, 32)}.narinfo`).sort(),
      'nar',
      ...[a, b].map(({ path }) => `nar/${path.fileHash}.nar.zst`).sort(),
      'nix-cache-info',
    ].sort(),
  )
  assert.equal(
    readFileSync(join(pack.folder, 'nix-cache-info'), 'utf8').split('\n')[0],
    'StoreDir: /nix/store',
  )
  assert.equal(readFileSync(join(pack.folder, 'nar', `${b.path.fileHash}.nar.zst`), 'utf8'), 'two')
  const bytes = readdirSync(pack.folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .reduce((sum, entry) => sum + readFileSync(join(entry.parentPath, entry.name)).length, 0)
  assert.ok(pack.size >= bytes)

  assert.equal((await makePack([twin, b, a], folder)).hash, pack.hash, 'the order does not matter')
  const others = [
    [a, b],
    [a, member('b', 'two', { references: [] }), twin],
    [a, member('b', 'two', { fileHash: twin.path.fileHash })],
  ]
  const hashes = []
  for (const members of others) hashes.push((await makePack(members, folder)).hash)
  assert.equal(new Set([pack.hash, ...hashes]).size, 4)
})
