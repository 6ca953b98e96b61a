import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Restored } from '../../../src/cache/entries.ts'
import { packKey } from '../../../src/cache/keys.ts'
import type { CachedPath } from '../../../src/cache/model.ts'
import { narFile } from '../../../src/cache/narinfo.ts'
import { lazyPacks, type Packs } from '../../../src/cache/packs.ts'
import { nixBase32 } from '../../../src/util/base32.ts'
import { silent } from '../../../src/util/log.ts'
import { cacheName, packHash, sampleIndex, samplePath } from './sample.ts'

function withContent(name: string, pack: string, content = `content of ${name}`): CachedPath {
  const fileHash = nixBase32(createHash('sha256').update(content).digest())
  return samplePath(name, { fileHash, fileSize: content.length, pack: packHash(pack) })
}

const [a, b, c, d] = [
  withContent('a', 'one'),
  withContent('b', 'one'),
  withContent('c', 'two'),
  withContent('d', 'three'),
] as const

type Setup = {
  readonly packs: Packs
  readonly folder: string
  /** Keys in the order in which they were asked for. */
  readonly asked: readonly string[]
  /** Lets what waits come to its end. */
  readonly release: () => void
}

/** Packs that come from nowhere: a fetch writes what the pack should hold, after `spoil` had its way with it. */
function setup(
  t: TestContext,
  options: {
    spoil?: (pack: string) => void
    outcome?: Restored
    held?: boolean
    concurrency?: number
    free?: number
    now?: number
  } = {},
): Setup {
  const folder = mkdtempSync(join(tmpdir(), 'packs-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const asked: string[] = []
  const gate = Promise.withResolvers<void>()
  if (!options.held) gate.resolve()
  const index = sampleIndex([a, b, c, d])
  const packs = lazyPacks({
    ...{ index, folder, log: silent },
    ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
    free: async () => options.free ?? 1e12,
    now: () => options.now ?? 1e12,
    entries: {
      async restore(path, key) {
        asked.push(key)
        await gate.promise
        if (options.outcome !== undefined) return options.outcome
        mkdirSync(join(path, 'nar'), { recursive: true })
        for (const one of index.paths.values()) {
          const name = one.name.slice(33)
          if (one.pack === basename(path))
            writeFileSync(join(path, narFile(one.fileHash)), `content of ${name}`)
        }
        options.spoil?.(path)
        return { outcome: 'restored', key }
      },
    },
  })
  return { packs, folder, asked, release: gate.resolve }
}

test('a pack is fetched when something in it is wanted, once for all who want it', async t => {
  const { packs, asked, release } = setup(t, { held: true })
  assert.ok(packs.has(a.pack))
  assert.ok(!packs.has(packHash('unknown')))
  const wanted = [packs.file(a), packs.file(b), packs.file(a)]
  release()
  const files = await Promise.all(wanted)
  assert.match(files[0] ?? '', new RegExp(`/packs/${a.pack}/nar/${a.fileHash}\\.nar\\.zst$`))
  assert.equal(files[2], files[0])
  await packs.file(b)
  assert.deepEqual(asked, [packKey(cacheName, a.pack)])
  const { fetched, gone, unreachable, bytes } = packs.stats
  assert.deepEqual([fetched, gone, unreachable], [[a.pack], [], []])
  assert.equal(bytes, sampleIndex([a, b]).packs.get(a.pack)?.size)
})

test('only so many are fetched at the same time', async t => {
  const { packs, asked, release } = setup(t, { held: true, concurrency: 2 })
  const wanted = [a, c, d].map(path => packs.file(path))
  await settled()
  assert.equal(asked.length, 2)
  release()
  assert.ok((await Promise.all(wanted)).every(file => file !== undefined))
  assert.equal(asked.length, 3)
})

test('a pack that cannot be had is not asked for again, and its paths are not there any more', async t => {
  for (const outcome of [{ outcome: 'missing' }, { outcome: 'failed', why: 'no' }] as const) {
    const { packs, asked } = setup(t, { outcome })
    assert.deepEqual(await Promise.all([packs.file(a), packs.file(b)]), [undefined, undefined])
    assert.equal(await packs.file(a), undefined)
    assert.equal(asked.length, 1)
    assert.equal(packs.has(a.pack), false)
    assert.equal(packs.has(c.pack), true)
    const { gone, unreachable } = packs.stats
    const lost = outcome.outcome === 'missing' ? gone : unreachable
    assert.deepEqual([lost, gone.length + unreachable.length], [[a.pack], 1])
  }
})

test('what does not hold what it should is as good as gone', async t => {
  const file = (pack: string) => join(pack, narFile(a.fileHash))
  const wrongs: Record<string, (pack: string) => void> = {
    missing: pack => rmSync(file(pack)),
    'cut short': pack => truncateSync(file(pack), 3),
    changed: pack => writeFileSync(file(pack), 'content of x'),
    'a directory': pack => {
      rmSync(file(pack))
      mkdirSync(file(pack))
    },
    'a link': pack => {
      writeFileSync(join(pack, 'elsewhere'), 'content of a')
      rmSync(file(pack))
      symlinkSync(join(pack, 'elsewhere'), file(pack))
    },
    empty: pack => rmSync(pack, { recursive: true }),
  }
  for (const [name, spoil] of Object.entries(wrongs)) {
    const { packs } = setup(t, { spoil: pack => basename(pack) === a.pack && spoil(pack) })
    assert.equal(await packs.file(a), undefined, name)
    assert.deepEqual(packs.stats.gone, [a.pack], name)
    assert.equal(packs.has(a.pack), false, name)
    assert.ok(existsSync((await packs.file(c)) ?? ''), name)
  }
})

/** Until what can go on has gone on. */
const settled = () => new Promise(setImmediate)

test('what Nix waits for comes before what will be needed, and that before what may be', async t => {
  const { packs, asked, release } = setup(t, { held: true, concurrency: 1 })
  packs.prefetch([a.pack, c.pack, d.pack, packHash('unknown')], 'ahead')
  await settled()
  const wanted = packs.folder(d.pack)
  const file = packs.file(c)
  release()
  assert.ok((await file)?.includes(c.pack))
  assert.ok((await wanted)?.endsWith(d.pack))
  const key = (path: CachedPath) => packKey(cacheName, path.pack)
  assert.deepEqual(asked, [key(a), key(c), key(d)])
  assert.deepEqual(packs.stats.needed, [d.pack, c.pack], 'the first one was only fetched')
  assert.deepEqual(packs.stats.fetched, [a.pack, c.pack, d.pack])
})

test('a pack for which the disk has no room is not fetched, and not forgotten', async t => {
  const { packs, asked } = setup(t, { free: 512 * 1024 * 1024 + 100 })
  assert.equal(await packs.folder(a.pack), undefined)
  assert.deepEqual([asked, packs.stats.gone, packs.stats.unreachable], [[], [], [a.pack]])
})

test('a service that fails again and again is not asked for each pack', async () => {
  const paths = Array.from({ length: 8 }, (_, at) => withContent(`p${at}`, `pack ${at}`))
  let asked = 0
  const packs = lazyPacks({
    ...{ index: sampleIndex(paths), folder: tmpdir(), log: silent, concurrency: 1, free: async () => 1e12 },
    entries: {
      async restore() {
        asked++
        return { outcome: 'failed', why: 'down' }
      },
    },
  })
  for (const path of paths) assert.equal(await packs.file(path), undefined)
  assert.equal(asked, 3)
  assert.equal(packs.stats.unreachable.length, 8)
  assert.deepEqual(packs.stats.gone, [])
})

test('a pack that was saved a moment ago and is not found yet is not forgotten', async t => {
  // Samples are made at 500 s.
  const { packs } = setup(t, { outcome: { outcome: 'missing' }, now: 510_000 })
  assert.equal(await packs.file(a), undefined)
  assert.deepEqual([packs.stats.gone, packs.stats.unreachable], [[], [a.pack]])
})

test('what goes wrong in a fetch that nobody waits for is noted', async () => {
  const path = withContent('p', 'pack')
  const packs = lazyPacks({
    ...{ index: sampleIndex([path]), folder: tmpdir(), log: silent },
    free: () => Promise.reject(new Error('no such file system')),
    entries: { restore: () => Promise.reject(new Error('not asked')) },
  })
  packs.prefetch([path.pack], 'ahead')
  await settled()
  assert.deepEqual(packs.stats.unreachable, [path.pack])
  assert.equal(await packs.file(path), undefined)
})
