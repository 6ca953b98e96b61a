import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { bounds } from '../../../src/cache/index-file.ts'
import { fetchIndex, ownPlace } from '../../../src/cache/indexes.ts'
import { generationOf, indexKey } from '../../../src/cache/keys.ts'
import { noLineage } from '../../../src/cache/lineage.ts'
import { merge } from '../../../src/cache/merge.ts'
import { callsForIndex, type Next, saveNext } from '../../../src/cache/save-next.ts'
import { cacheName, packHash, sampleIndex, samplePath } from './sample.ts'
import { Service, type ServiceTimes, VirtualTime } from './side-by-side.ts'

const name = { ...cacheName, ref: 'refs/heads/main', bases: [] }

/** Numbers from 0 to 1 that look random and are the same for the same seed. */
function numbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

type Job = { readonly name: string; readonly begins: number }

/** Jobs that have each made one path, and save it in the same ref. */
async function jobs(
  some: readonly Job[],
  options: {
    readonly seed: number
    readonly times: ServiceTimes
    readonly blocked?: readonly number[]
    /** @default enough */
    readonly calls?: number
  },
) {
  const root = mkdtempSync(join(tmpdir(), 'jobs-'))
  const time = new VirtualTime(some.length)
  using service = new Service(time, options.times)
  const chance = numbers(options.seed)
  for (const generation of options.blocked ?? []) service.block(indexKey(name, generation))
  try {
    const results = await Promise.all(
      some.map(async job => {
        const place = { ...name, folder: join(root, job.name) }
        await time.sleep(job.begins)
        const store = service.client()
        const opened = await fetchIndex(ownPlace(place), store)
        const before = store.calls
        const index = merge(opened.index, sampleIndex([samplePath(job.name, { pack: packHash(job.name) })]))
        const next = await saveNext({
          ...{ ...place, store, index, chance, seconds: 0, lineage: opened.lineage },
          generation: generationOf(name, opened.key),
          mergeWith: other => merge(index, other),
          wait: milliseconds => time.sleep(milliseconds),
          calls: options.calls ?? 100,
        })
        time.end()
        return { ...next, job: job.name, calls: store.calls - before, opened: opened.lineage }
      }),
    )
    return { results, keys: service.keys() }
  } finally {
    rmSync(root, { recursive: true })
  }
}

function namesIn({ index }: Next): string[] {
  return [...index.paths.values()].map(path => path.name.slice(33)).sort()
}

function newest<T extends Next>(results: readonly T[]): T {
  const [last] = results.toSorted((a, b) => (a.key < b.key ? 1 : -1))
  assert.ok(last !== undefined)
  return last
}

test('whenever jobs save, and however slowly the service shows it, nothing that was saved is out of sight', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3000), { minLength: 2, maxLength: 6 }),
      fc.nat(),
      fc.integer({ min: 100, max: 2500 }),
      fc.nat(3000),
      async (begins, seed, upload, lag) => {
        const some = begins.map((at, number) => ({ name: `job-${number}`, begins: at }))
        const random = numbers(seed + 1)
        const times = { upload: () => upload * (0.5 + random()), lag: () => lag * random() }
        const { results } = await jobs(some, { seed, times })
        const saved = results.filter(({ result }) => result.outcome === 'saved')
        assert.deepEqual(namesIn(newest(saved)), saved.map(({ job }) => job).sort())
        assert.equal(new Set(saved.map(({ key }) => key)).size, saved.length)
        for (const { result } of results)
          if (result.outcome !== 'saved') assert.match('why' in result ? result.why : '', /^many other jobs/)
      },
    ),
    { numRuns: 40 },
  )
})

test('of jobs that come at once some are told to wait, and all of a usual matrix are done in the end', async () => {
  const some = Array.from({ length: 8 }, (_, number) => ({ name: `job-${number}`, begins: number }))
  const { results } = await jobs(some, { seed: 1, times: { upload: () => 1000, lag: () => 500 } })
  assert.deepEqual(
    results.filter(({ result }) => result.outcome !== 'saved'),
    [],
  )
  assert.equal(namesIn(newest(results)).length, 8)
  assert.ok(Math.max(...results.map(({ calls }) => calls)) <= 25)
})

test('of many that save at once none asks more than it may, and nearly all are done', async () => {
  let saved = 0
  for (let seed = 1; seed <= 10; seed++) {
    const random = numbers(seed)
    const some = Array.from({ length: 10 }, (_, at) => ({ name: `job-${at}`, begins: 1000 * random() }))
    const times = { upload: () => 800 + 1200 * random(), lag: () => 1000 * random() }
    const { results } = await jobs(some, { seed, times, calls: 16 })
    for (const { calls } of results) assert.ok(calls <= 16, `${calls} requests`)
    const done = results.filter(({ result }) => result.outcome === 'saved')
    assert.equal(namesIn(newest(done)).length, done.length)
    saved += done.length
  }
  assert.ok(saved >= 95, `${saved} of 100`)
})

test('one attempt is made in any case, and what is left of a run is enough for some', async () => {
  const times = { upload: () => 1000, lag: () => 0 }
  const [one, two] = ['one', 'two'].map(name => ({ name, begins: 0 }))
  assert.ok(one !== undefined && two !== undefined)
  const { results } = await jobs([one, two], { seed: 1, times, calls: 0 })
  assert.deepEqual(
    results.map(({ result, calls }) => [result.outcome, calls]),
    [
      ['saved', 3],
      ['failed', 1],
    ],
  )
  assert.deepEqual([5, 9, 20, 60].map(callsForIndex), [16, 12, 12, 12])
})

test('a key that a killed job has left is passed over, and remembered', async () => {
  const times = { upload: () => 1000, lag: () => 0 }
  const some = [
    { name: 'one', begins: 0 },
    { name: 'two', begins: 100_000 },
  ]
  const { results, keys } = await jobs(some, { seed: 1, times, blocked: [1] })
  assert.deepEqual(keys, [indexKey(name, 2), indexKey(name, 3)])
  assert.deepEqual(namesIn(newest(results)), ['one', 'two'])
  assert.ok((results[1]?.calls ?? 0) <= 5, 'only the first one pays for it')
  assert.deepEqual(results[1]?.opened.missed, [{ key: indexKey(name, 1), since: 0 }])
  assert.equal(results[1]?.whole, false)
})

test('what was only slow is found by the next one that saves', async () => {
  // The first one is passed over by the second, and finished after it: for the service it is the newest.
  const uploads = [60_000, 1000, 1000]
  const times = { upload: () => uploads.shift() ?? 1000, lag: () => 0 }
  const some = [
    { name: 'slow', begins: 0 },
    { name: 'quick', begins: 1000 },
    { name: 'third', begins: 100_000 },
  ]
  const { results } = await jobs(some, { seed: 1, times })
  assert.deepEqual(
    results.map(({ key }) => generationOf(name, key)),
    [1, 2, 3],
  )
  assert.deepEqual(namesIn(newest(results)), ['quick', 'slow', 'third'])
})

test('what is said to be saved is what can be read again', async (t: TestContext) => {
  const root = mkdtempSync(join(tmpdir(), 'large-'))
  t.after(() => rmSync(root, { recursive: true }))
  using service = new Service(new VirtualTime(1), { upload: () => 0, lag: () => 0 })
  const place = { ...name, folder: root }
  const lib = samplePath('lib')
  const all = samplePath('all', { references: Array.from({ length: bounds.references + 1 }, () => lib.name) })
  const index = sampleIndex([lib, all])
  const next = await saveNext({
    ...{ ...place, store: service.client(), index, lineage: noLineage, generation: 0, seconds: 0 },
    ...{ mergeWith: () => index, calls: 100, wait: async () => {}, chance: () => 0 },
  })
  assert.deepEqual([next.result.outcome, namesIn(next)], ['saved', ['lib']])
  const found = await fetchIndex(ownPlace(place), service.client())
  assert.deepEqual([found.problem, found.index], [undefined, next.index])
})

test('a lineage that is not there or not one says nothing', async (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'lineage-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const { readLineage, writeLineage } = await import('../../../src/cache/lineage.ts')
  assert.deepEqual(await readLineage(folder), noLineage)
  const lineage = { base: 'a', missed: [{ key: 'b', since: 3 }] }
  await writeLineage(folder, lineage)
  assert.deepEqual(await readLineage(folder), lineage)
  await writeLineage(folder, { ...lineage, base: 5 } as never)
  assert.deepEqual(await readLineage(folder), noLineage)
})
