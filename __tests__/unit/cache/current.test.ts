import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { currentIndex } from '../../../src/cache/current.ts'
import { writeIndex } from '../../../src/cache/index-writing.ts'
import { indexFile, indexFolder } from '../../../src/cache/indexes.ts'
import { indexKey } from '../../../src/cache/keys.ts'
import { writeLineage } from '../../../src/cache/lineage.ts'
import { cacheName, now, sampleIndex, samplePath } from './sample.ts'
import { Service, VirtualTime } from './side-by-side.ts'

const name = { ...cacheName, ref: 'refs/heads/main', bases: [] }

test('an index that another job had missed is looked for an hour long, also if that job had a clock that was ahead', async t => {
  const root = mkdtempSync(join(tmpdir(), 'current-'))
  t.after(() => rmSync(root, { recursive: true }))
  using service = new Service(new VirtualTime(1), { upload: () => 0, lag: () => 0 })
  const missed = ['young', 'ahead', 'old'].map((_, at) => indexKey(name, at + 1))
  const since = [now - 60, now + 90 * 86_400, now - 3700]
  const from = join(root, 'other')
  mkdirSync(indexFolder(from), { recursive: true })
  await writeIndex(indexFile(from), sampleIndex([samplePath('x')]))
  await writeLineage(indexFolder(from), {
    base: undefined,
    missed: missed.map((key, at) => ({ key, since: since[at] ?? 0 })),
  })
  assert.deepEqual(await service.client().save(indexFolder(from), indexKey(name, 4)), { outcome: 'saved' })

  const { lineage, generation } = await currentIndex(
    { ...name, folder: join(root, 'mine'), key: undefined, seconds: now },
    service.client(),
  )
  assert.equal(generation, 4)
  assert.deepEqual(lineage.missed, [
    { key: missed[0], since: now - 60 },
    { key: missed[1], since: now },
  ])
})
