import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indexKey, packKey } from '../../../src/cache/keys.ts'
import {
  type CacheApi,
  deletesLeft,
  type ListedEntry,
  type PurgeInput,
  purge,
  toDelete,
} from '../../../src/cache/purge.ts'
import type { Log } from '../../../src/util/log.ts'
import { silent } from '../../../src/util/log.ts'
import { cacheName, now, packHash, sampleIndex, samplePath } from './sample.ts'

const hour = 3600
const main = 'refs/heads/main'
const branch = 'refs/heads/branch'
const pull = 'refs/pull/7/merge'
const refs = [main, branch, pull, 'refs/tags/v1']

let ids = 0
function listed(key: string, created: number, more: Partial<ListedEntry> = {}): ListedEntry {
  return { id: ++ids, key, ref: main, version: 'v', size: 1000, created, ...more }
}

function indexOf(ref: string, generation: number, age: number, more: Partial<ListedEntry> = {}): ListedEntry {
  return listed(indexKey({ ...cacheName, ref }, generation), now - age, { ref, ...more })
}

function packOf(name: string, age: number, ref = main): ListedEntry {
  return listed(packKey(cacheName, packHash(name)), now - age, { ref })
}

/** The state after generation 3 of the default branch has been saved, which names the pack `named`. */
function input(more: Partial<PurgeInput> = {}, indexes: readonly ListedEntry[] = []): PurgeInput {
  return {
    name: { ...cacheName, ref: main },
    generation: 3,
    index: sampleIndex([samplePath('x', { pack: packHash('named') })]),
    whole: true,
    ...{ cacheRef: main, defaultRef: main, packs: [], now },
    indexes: { entries: indexes, complete: true },
    ...more,
  }
}

function keys(entries: readonly ListedEntry[]): string[] {
  return entries.map(({ key }) => key)
}

test('of the indexes of a ref two stay, and what took the place of a third has done so for an hour', () => {
  const some = [
    indexOf(main, 4, 0),
    indexOf(main, 3, 2 * hour),
    indexOf(main, 2, 3 * hour),
    indexOf(main, 1, 9 * hour),
  ]
  assert.deepEqual(keys(toDelete(input({}, some))), keys([some[3] as never, some[2] as never]))
  const busy = [indexOf(main, 4, 0), indexOf(main, 3, 10), indexOf(main, 2, 3 * hour)]
  assert.deepEqual(toDelete(input({}, busy)), [])
})

test('a pack that no index names goes a day after it was saved or given up', () => {
  const packs = [
    packOf('named', 99 * hour),
    packOf('orphan', 25 * hour),
    packOf('young', 23 * hour),
    packOf('given up', 99 * hour),
  ]
  assert.deepEqual(keys(toDelete(input({ packs }))), keys([packs[3] as never, packs[1] as never]))
  const { index } = input()
  const retired = new Map([[packHash('given up'), now - 23 * hour]])
  assert.deepEqual(keys(toDelete(input({ packs, index: { ...index, retired } }))), keys([packs[1] as never]))
})

test('nothing is deleted on a guess', () => {
  const packs = [packOf('orphan', 48 * hour)]
  const cases: Record<string, [Partial<PurgeInput>, ListedEntry[]]> = {
    'there are more indexes than were listed': [{ indexes: { entries: [], complete: false } }, []],
    'the index does not know all before it': [{ whole: false }, []],
    'another job has saved since': [{}, [indexOf(main, 4, 0)]],
    'a branch has an index that is younger than the pack': [{}, [indexOf(branch, 1, 24 * hour)]],
    'a pull request has one in the same ref': [{}, [indexOf(pull, 1, 24 * hour, { ref: main })]],
    'the default branch is not known': [{ defaultRef: undefined }, [indexOf(branch, 1, 0)]],
    'it belongs to another ref': [{ packs: [packOf('orphan', 48 * hour, branch)] }, []],
    'it is of another cache': [
      { packs: [listed(packKey({ system: 'x', scope: '' }, packHash('o')), 0)] },
      [],
    ],
    'it is something else': [{ packs: [listed('node-modules', 0)] }, []],
  }
  for (const [name, [more, indexes]] of Object.entries(cases)) {
    const { indexes: given = { entries: indexes, complete: true } } = more
    assert.deepEqual(toDelete(input({ packs, ...more, indexes: given })), [], name)
  }
  // The same without what stands in the way.
  assert.equal(toDelete(input({ packs }, [indexOf(main, 3, 0), indexOf(branch, 1, 49 * hour)])).length, 1)
  // What is of no use to other refs is not held by their indexes.
  const own = {
    packs: [packOf('orphan', 48 * hour, branch)],
    cacheRef: branch,
    name: { ...cacheName, ref: branch },
  }
  assert.equal(toDelete(input(own, [indexOf(main, 9, 0), indexOf('refs/heads/other', 1, 0)])).length, 1)
  assert.equal(toDelete(input(own, [indexOf(pull, 1, 0)])).length, 0)
})

const entry = fc.record({
  ref: fc.constantFrom(...refs),
  of: fc.constantFrom(...refs),
  generation: fc.integer({ min: 1, max: 6 }),
  age: fc.nat(72 * hour),
  version: fc.constantFrom('v', 'w'),
})

test('whatever is listed, what a job may open or use stays', () => {
  fc.assert(
    fc.property(
      fc.array(entry, { maxLength: 12 }),
      fc.array(fc.record({ name: fc.nat(6), age: fc.nat(72 * hour), ref: fc.constantFrom(...refs) })),
      fc.array(fc.tuple(fc.nat(6), fc.nat(72 * hour)), { maxLength: 4 }),
      fc.constantFrom(...refs),
      (some, somePacks, retiredPacks, ref) => {
        const indexes = some.map(one =>
          indexOf(one.of, one.generation, one.age, { ref: one.ref, version: one.version }),
        )
        const packs = somePacks.map(one => packOf(`pack ${one.name}`, one.age, one.ref))
        const retired = new Map(retiredPacks.map(([name, age]) => [packHash(`pack ${name}`), now - age]))
        const index = sampleIndex([samplePath('x', { pack: packHash('pack 0') })], { retired })
        const deleted = toDelete({
          ...input({ packs, index, cacheRef: ref, name: { ...cacheName, ref } }, indexes),
        })
        assert.deepEqual(
          toDelete({
            ...input({ packs, index, cacheRef: ref, name: { ...cacheName, ref } }, indexes.toReversed()),
          }).length,
          deleted.length,
        )
        for (const one of deleted) {
          assert.ok(one.created < now - hour)
          if (!packs.includes(one)) {
            // Two at least that are as new are left of those it could be taken for.
            const left = indexes.filter(
              other =>
                !deleted.includes(other) &&
                [other.ref, other.version, other.key.slice(0, -6)].join() ===
                  [one.ref, one.version, one.key.slice(0, -6)].join() &&
                other.key >= one.key,
            )
            assert.ok(left.length >= 2)
            continue
          }
          const hash = one.key.slice(-64)
          assert.ok(one.ref === ref && hash !== packHash('pack 0') && one.created < now - 24 * hour)
          assert.ok((retired.get(hash) ?? 0) < now - 24 * hour)
        }
      },
    ),
  )
})

function recorded(api: Partial<CacheApi>): {
  readonly api: CacheApi
  readonly log: Log
  readonly said: string[]
} {
  const said: string[] = []
  const empty = { entries: [], complete: true }
  return {
    said,
    log: { ...silent, info: line => void said.push(line) },
    api: { list: async () => empty, delete: async () => 'deleted', ...api },
  }
}

test('only so many are deleted, the oldest first, and what was gone already does not count', async () => {
  const old = [5, 4, 3, 2, 1].map(number => indexOf(main, number, (50 - number) * hour))
  const asked: number[] = []
  const { api, log, said } = recorded({
    list: async prefix => ({ entries: prefix.includes('index') ? old : [], complete: true }),
    delete: async id => (asked.push(id) === 1 ? 'gone' : 'deleted'),
  })
  assert.deepEqual(await purge(input(), { api, most: 2, log }), { entries: 1, bytes: 1000, calls: 4 })
  assert.deepEqual(asked, [old[4]?.id, old[3]?.id])
  assert.deepEqual(said, [])
})

test('what is not allowed is said once, with the permission; trouble ends it', async () => {
  const old = { entries: [3, 2, 1].map(number => indexOf(main, number, 50 * hour)), complete: true }
  const list: CacheApi['list'] = async prefix =>
    prefix.includes('index') ? old : { entries: [], complete: true }
  for (const denied of [
    { list: async () => 'denied' as const },
    { list, delete: async () => 'denied' as const },
  ]) {
    const { api, log, said } = recorded(denied)
    assert.equal((await purge(input(), { api, most: 5, log })).entries, 0)
    assert.deepEqual([said.length, /actions: write/.test(said.join())], [1, true])
  }
  const broken = recorded({ list, delete: () => Promise.reject(new Error('the GitHub API answered 502')) })
  assert.equal((await purge(input(), { ...broken, most: 5 })).entries, 0)
  assert.match(broken.said.join('\n'), /were not deleted: the GitHub API answered 502$/)
})

test('what a run may delete depends on what it has asked for', () => {
  assert.deepEqual([0, 9, 12, 50].map(deletesLeft), [10, 10, 7, 2])
})

test('where runners compress in different ways no pack is deleted: they do not see each other’s indexes', () => {
  const packs = [packOf('old', 48 * hour)]
  const own = indexOf(main, 3, 0)
  assert.deepEqual(keys(toDelete(input({ packs }, [own]))), keys(packs))
  const other = indexOf(main, 2, 0, { version: 'gzip' })
  assert.deepEqual(toDelete(input({ packs }, [own, other])), [])
})

test('a clock that is ahead makes nothing old', () => {
  const packs = [packOf('new', 60)]
  const indexes = [indexOf(main, 3, 0)]
  assert.deepEqual(toDelete(input({ packs, now: now + 48 * hour }, indexes)), [])
})
