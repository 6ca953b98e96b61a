import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { narFile, renderNarInfo } from '../../../src/cache/narinfo.ts'
import { firstBatch } from '../../../src/cache/nars.ts'
import { fillPacks, type Member, makePack, sizeInCache } from '../../../src/cache/pack.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { indexes, samplePath } from './sample.ts'

test('packs are between half of the most and the most; the last one may be smaller, one of one path larger', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ size: fc.integer({ min: 1, max: 300 }) })), members => {
      const packs = fillPacks(members, { least: 100, most: 200 })
      assert.deepEqual(new Set(packs.flat()), new Set(members))
      assert.equal(packs.flat().length, members.length)
      const sizeOf = (pack: readonly { size: number }[]) => pack.reduce((sum, { size }) => sum + size, 0)
      const shared = packs.filter(pack => pack.length > 1 || sizeOf(pack) < 100)
      for (const pack of shared) assert.ok(sizeOf(pack) <= 200)
      assert.ok(shared.slice(0, -1).every(pack => sizeOf(pack) >= 100))
      const large = packs.length - shared.length
      const total = sizeOf(members)
      assert.ok(packs.length <= Math.max(total / 100, 12) + large + 1)
      for (const pack of packs) if (!shared.includes(pack)) assert.equal(pack.length, 1)
      for (const pack of packs) {
        const places = pack.map(member => members.indexOf(member))
        assert.deepEqual(
          places,
          places.toSorted((one, other) => one - other),
        )
      }
    }),
  )
})

test('the size of a narinfo is known without writing it', () => {
  fc.assert(
    fc.property(indexes(), fc.nat(), fc.boolean(), (index, narSize, more) => {
      for (const path of index.paths.values()) {
        const one = {
          ...path,
          narSize,
          ...(more ? { signatures: ['a:AAAA', 'key-2:BB=='], ca: 'fixed:r:x' } : {}),
        }
        const text = renderNarInfo(one, narFile(one.fileHash))
        assert.equal(sizeInCache(one), one.fileSize + text.length + 3 * 256)
      }
    }),
  )
})

test('Nix is asked for as many paths at a time as there may be room for, and for one at least', () => {
  const MiB = 1024 ** 2
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 1e9 })), {
    minLength: 1,
  })
  fc.assert(
    fc.property(sizes, fc.nat(1e9), (numbers, room) => {
      const infos = numbers.map(narSize => ({ narSize }) as PathInfo)
      const batch = firstBatch(infos, room)
      const sum = (some: readonly PathInfo[]) => some.reduce((bytes, { narSize }) => bytes + narSize, 0)
      const most = Math.min(512 * MiB, Math.max(16 * MiB, 2 * room))
      assert.deepEqual(batch, infos.slice(0, batch.length))
      assert.ok(batch.length === 1 || (batch.length > 1 && sum(batch) <= most))
      if (batch.length < infos.length) assert.ok(sum(infos.slice(0, batch.length + 1)) > most)
    }),
  )
  const many = Array.from({ length: 12_000 }, () => ({ narSize: 1 }) as PathInfo)
  assert.equal(firstBatch(many, 1e9).length, 5000)
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
