import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Restored } from '../../../src/cache/entries.ts'
import { packKey } from '../../../src/cache/keys.ts'
import { type CachedPath, hashOf, sizeOf } from '../../../src/cache/model.ts'
import { narFile } from '../../../src/cache/narinfo.ts'
import { fillPacks, makePack } from '../../../src/cache/pack.ts'
import { packFolder } from '../../../src/cache/packs.ts'
import type { PlanInput } from '../../../src/cache/policy/model.ts'
import { callsLeft, planWithPacks, unsentOf, withUnsent } from '../../../src/cache/repack.ts'
import { sizeInCache } from '../../../src/cache/size.ts'
import { nixBase32 } from '../../../src/util/base32.ts'
import { silent } from '../../../src/util/log.ts'
import { cacheName, now, packHash, sampleIndex, samplePath } from './sample.ts'

/** Three packs, each with a path and as many dead bytes and more, of which the service has folders. */
function world(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), 'repack-'))
  t.after(() => rmSync(root, { recursive: true }))
  const folder = join(root, 'action')
  const service = join(root, 'service')
  mkdirSync(join(folder, 'packs'), { recursive: true })
  const paths = ['a', 'b', 'c'].map((name, at): CachedPath => {
    const content = `${name} compressed`
    const pack = packHash(name)
    const fileHash = nixBase32(createHash('sha256').update(content).digest())
    mkdirSync(join(service, pack, 'nar'), { recursive: true })
    writeFileSync(join(service, pack, narFile(fileHash)), content)
    return samplePath(name, { pack, fileHash, fileSize: content.length, lastUse: now - 10 * at - 1 })
  })
  const sound = sampleIndex(paths)
  const packs = [...sound.packs].map(([hash, pack]) => [hash, { ...pack, size: 3 * pack.size }] as const)
  const index = { ...sound, packs: new Map(packs) }
  const asked: string[] = []
  const answers = new Map<string, Restored>()
  const entries = {
    async restore(path: string, key: string): Promise<Restored> {
      asked.push(key)
      const answer = answers.get(key)
      if (answer !== undefined) return answer
      cpSync(join(service, key.slice(-64)), path, { recursive: true })
      return { outcome: 'restored', key }
    },
  }
  const input: PlanInput = { index, candidates: [], used: new Set(), now, limit: 1e9, calls: 20 }
  const options = { entries, folder, log: silent }
  const keys = Object.fromEntries(paths.map(({ name, pack }) => [name.slice(33), packKey(cacheName, pack)]))
  return { folder, service, paths, input, options, asked, answers, keys }
}

function namesOf(some: readonly { readonly path: CachedPath }[]): string[] {
  return some.map(({ path }) => path.name.slice(33))
}

test('what moves is brought, verified, and put into new packs byte for byte', async t => {
  const { folder, input, options, asked } = world(t)
  const { plan, moved, gone } = await planWithPacks(input, options)
  assert.deepEqual([namesOf(moved), asked.length, gone.size], [['a', 'b', 'c'], 3, 0], 'lately used first')
  assert.equal(plan.index.packs.size, 0)
  const [all = [], ...more] = fillPacks(moved)
  assert.equal(more.length, 0)
  const pack = await makePack(all, folder)
  assert.equal(
    pack.size,
    moved.reduce((sum, { path }) => sum + sizeInCache(path), 0),
  )
  for (const { path } of moved) {
    assert.equal(
      readFileSync(join(pack.folder, narFile(path.fileHash)), 'utf8'),
      `${path.name.slice(33)} compressed`,
    )
  }
})

test('a pack that is here is not fetched, and one that is here in part is left alone', async t => {
  const { folder, service, paths, input, options, asked, keys } = world(t)
  const [a, b] = paths
  assert.ok(a !== undefined && b !== undefined)
  cpSync(join(service, a.pack), packFolder(folder, a.pack), { recursive: true })
  mkdirSync(packFolder(folder, b.pack), { recursive: true })
  const { plan, moved, gone } = await planWithPacks(input, options)
  assert.deepEqual([namesOf(moved), asked, gone.size], [['a', 'c'], [keys.c], 0])
  assert.deepEqual([...plan.index.packs.keys()], [b.pack])
  assert.ok(plan.index.paths.has(hashOf(b.name)))
})

test('a pack that the service does not give stays as it is, or goes where the limit presses', async t => {
  const { input, options, answers, asked, keys, paths, folder } = world(t)
  answers.set(keys.a ?? '', { outcome: 'failed', why: 'the service is slow' })
  const [a] = paths
  assert.ok(a !== undefined)
  const free = await planWithPacks(input, options)
  // Nor are others asked for: one that hangs takes minutes for each.
  assert.deepEqual([namesOf(free.moved), free.plan.index.packs.size, asked.length], [[], 3, 1])
  assert.ok(!existsSync(packFolder(folder, a.pack)))
  const limit = (sizeOf(input.index) / 9) * 3
  const pressed = await planWithPacks({ ...input, limit }, options)
  assert.ok(pressed.plan.total <= limit)
  assert.ok(!namesOf(pressed.moved).includes('a'))
})

test('a pack that is gone or damaged takes its paths along', async t => {
  const { service, input, options, answers, keys, paths } = world(t)
  answers.set(keys.a ?? '', { outcome: 'missing' })
  const [a, b] = paths
  assert.ok(a !== undefined && b !== undefined)
  writeFileSync(join(service, b.pack, narFile(b.fileHash)), 'b compresseD')
  const { plan, moved, gone } = await planWithPacks(input, options)
  assert.deepEqual([namesOf(moved), gone], [['c'], new Set([a.pack, b.pack])])
  assert.deepEqual([plan.index.packs.size, plan.index.paths.size], [0, 0])
})

test('a disk without room is left alone, and so is one that does not say', async t => {
  const { input, options, asked } = world(t)
  for (const free of [async () => 1000, async () => Promise.reject(new Error('no such thing'))]) {
    const { plan, moved, gone } = await planWithPacks(input, { ...options, free })
    assert.deepEqual([moved.length, gone.size, plan.index.paths.size, asked.length], [0, 0, 3, 0])
  }
})

test('what was to move and was not sent is where it was before', () => {
  const paths = ['a', 'b'].map(name => samplePath(name, { pack: packHash(name) }))
  const before = sampleIndex(paths)
  const [a, b] = paths.map(path => ({ path, size: sizeInCache(path) }))
  assert.ok(a !== undefined && b !== undefined)
  const unsent = unsentOf([a, b], [{ members: [a] }])
  assert.deepEqual([...unsent], [b.path.name])
  const index = withUnsent(sampleIndex([]), before, unsent)
  assert.deepEqual([[...index.paths.values()], [...index.packs.keys()]], [[b.path], [packHash('b')]])
})

test('rewriting has the requests that a run has left, and none when nothing is added and nothing has to go', () => {
  const index = sampleIndex([samplePath('x')])
  const fresh = (size: number) => [{ path: samplePath('new'), size }]
  const served = (count: number) => {
    const fetched = Array.from({ length: count }, (_, at) => `${at}`)
    return { packs: { needed: [], fetched, gone: [], unreachable: [], bytes: 0, seconds: 0 } }
  }
  const loose = { index, limit: 1e9 }
  assert.equal(callsLeft(loose, [], 2, undefined), 0)
  assert.equal(callsLeft({ index, limit: 1 }, [], 2, undefined), 12)
  assert.equal(callsLeft(loose, fresh(1), 2, undefined), 9)
  assert.equal(callsLeft(loose, fresh(1), 2, served(2)), 5)
  assert.equal(callsLeft(loose, fresh(1), 2, served(9)), 3)
  assert.equal(callsLeft(loose, fresh(2 ** 30), 2, served(9)), 48)
})
