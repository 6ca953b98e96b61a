import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { believable, drift, timeOfJob } from '../../../src/cache/clock.ts'
import { readIndex } from '../../../src/cache/index-file.ts'
import { renderIndex, writeIndex } from '../../../src/cache/index-writing.ts'
import { merge, withRetired } from '../../../src/cache/merge.ts'
import { type CacheIndex, emptyIndex, hashOf } from '../../../src/cache/model.ts'
import { withUses } from '../../../src/cache/policy/items.ts'
import { indexes, now, packHash, sampleIndex, samplePath } from './sample.ts'

const day = 86_400
const year = 365 * day

/** Every time of an index, in an order of its own. */
function timesOf({ packs, paths, layers, tooLarge, retired }: CacheIndex): number[] {
  const uses = [paths, layers, tooLarge].flatMap(map => [...map.values()].map(({ lastUse }) => lastUse))
  return [...[...packs.values()].map(({ created }) => created), ...uses, ...retired.values()]
}

/** An index with other times: `change` gives each from what it was. */
function dated(index: CacheIndex, change: (time: number) => number): CacheIndex {
  const used = <T extends { lastUse: number }>(map: ReadonlyMap<string, T>) =>
    new Map([...map].map(([key, value]) => [key, { ...value, lastUse: change(value.lastUse) }]))
  return {
    ...index,
    packs: new Map([...index.packs].map(([key, pack]) => [key, { ...pack, created: change(pack.created) }])),
    paths: used(index.paths),
    layers: used(index.layers),
    tooLarge: used(index.tooLarge),
    retired: new Map([...index.retired].map(([key, time]) => [key, change(time)])),
  }
}

/** Indexes whose jobs had clocks that were right, or wrong by up to a year. */
const claims = fc
  .tuple(indexes(), fc.array(fc.integer({ min: -year, max: year }), { minLength: 1, maxLength: 5 }))
  .map(([index, wrong]) => {
    let at = 0
    const retired = new Map(['a', 'b'].map(name => [packHash(name), now]))
    return dated({ ...index, retired }, time => Math.max(0, time + (wrong[at++ % wrong.length] ?? 0)))
  })

test('of what an index claims nothing is much later than the clock says, and all else is as it was', () => {
  fc.assert(
    fc.property(claims, index => {
      const believed = believable(index, now)
      assert.deepEqual(
        timesOf(believed),
        timesOf(index).map(time => Math.min(time, now + drift)),
      )
      const undated = (one: CacheIndex) => renderIndex(dated(one, () => 0))
      assert.equal(undated(believed), undated(index))
      assert.equal(believable(believed, now), believed)
    }),
  )
})

test('the time of a job is not before its clock, nor before what it believes, and a day later at most', () => {
  fc.assert(
    fc.property(claims, index => {
      const believed = believable(index, now)
      const time = timeOfJob(believed, now)
      for (const other of [now, ...timesOf(believed)]) assert.ok(time >= other)
      assert.ok(time <= now + drift)
    }),
  )
  assert.equal(timeOfJob(emptyIndex, now), now)
})

test('what two jobs know together is believed as far as either is', () => {
  fc.assert(
    fc.property(claims, indexes('q'), (one, other) => {
      const both = merge(believable(one, now), believable(other, now))
      assert.equal(believable(both, now), both)
    }),
  )
})

test('by a clock that is some hours behind nothing loses its age', () => {
  const paths = [1, 5, 9].map(hours => samplePath(`${hours}`, { lastUse: now - hours * 3600 }))
  const index = believable(sampleIndex(paths), now - 20 * 3600)
  const time = timeOfJob(index, now - 20 * 3600)
  const [first] = paths
  const used = new Set([hashOf(first?.name ?? '')])
  const after = withUses({ index, candidates: [], used, now: time, limit: 1e9 })
  assert.deepEqual(
    [...after.paths.values()].map(({ lastUse }) => now - lastUse),
    [3600, 5 * 3600, 9 * 3600],
  )
})

test('a clock that was a year ahead is forgotten within days', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'clock-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'index.json')
  const path = samplePath('x', { lastUse: now + year })
  const ahead = sampleIndex([path], { retired: new Map([[packHash('gone'), now + year]]) })
  await writeIndex(file, ahead)
  // Each day another job reads it, by a clock that is right, and saves.
  for (let days = 0; days <= 9; days++) {
    const clock = now + days * day
    const { index } = await readIndex(file, () => clock * 1000)
    assert.ok(index !== undefined)
    const time = timeOfJob(index, clock)
    assert.ok(time <= now + day || time === clock, 'time goes on after a day')
    await writeIndex(file, withRetired(withUses({ ...ask, index, now: time }), index, time))
  }
  const { index } = await readIndex(file, () => (now + 9 * day) * 1000)
  assert.deepEqual([...(index?.retired.keys() ?? [])], [])
  assert.equal(index?.paths.get(hashOf(path.name))?.lastUse, now + day - 1)
})

const ask = { candidates: [], used: new Set<string>(), limit: 1e9 }
