import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Restored } from '../../../src/cache/entries.ts'
import type { CachedPath } from '../../../src/cache/model.ts'
import { narFile, nixBase32 } from '../../../src/cache/narinfo.ts'
import { lazyPacks, type Packs } from '../../../src/cache/packs.ts'
import { silent } from '../../../src/util/log.ts'
import { packHash, sampleIndex, samplePath } from './sample.ts'

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
  assert.deepEqual(asked, [`nia1-pack-${a.pack}`])
  const { fetched, gone, unreachable, bytes } = packs.stats
  assert.deepEqual([fetched, gone, unreachable], [[a.pack], [], []])
  assert.equal(bytes, a.fileSize + b.fileSize + 100)
})

test('only so many are fetched at the same time', async t => {
  const { packs, asked, release } = setup(t, { held: true, concurrency: 2 })
  const wanted = [a, c, d].map(path => packs.file(path))
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
