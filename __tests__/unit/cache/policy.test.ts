import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { reach } from '../../../src/cache/closure.ts'
import { type CachedPath, hashOf, sizeOf } from '../../../src/cache/model.ts'
import { type Plan, type PlanInput, plan, type Rank, roomForNew } from '../../../src/cache/policy.ts'
import { indexes, now, packHash, questions, sampleIndex, samplePath } from './sample.ts'

const oldestFirst: Rank = ({ paths }) => -Math.min(...paths.map(({ lastUse }) => lastUse))
const bigFirst: Rank = ({ size }) => size
const ranks = fc.constantFrom<Rank | undefined>(undefined, oldestFirst, bigFirst)

function property(check: (input: PlanInput, made: Plan) => void): void {
  fc.assert(
    fc.property(questions, ranks, (question, rank) => {
      const input = rank === undefined ? question : { ...question, rank }
      check(input, plan(input))
    }),
    { numRuns: 1000 },
  )
}

/** All that remains named, with what is added. */
function namedBy({ index, add }: Plan): Map<string, CachedPath> {
  return new Map([...index.paths, ...add.map(({ path }) => [hashOf(path.name), path] as const)])
}

function usedBy({ index, used, candidates }: PlanInput): Set<string> {
  const roots = [...used, ...candidates.flatMap(({ path }) => path.references.map(hashOf))]
  return reach(roots, hash => index.paths.get(hash)?.references.map(hashOf))
}

test('the packs that are named and what is added are within the limit, dead bytes included', () => {
  property(({ limit }, made) => {
    const added = made.add.reduce((sum, { size }) => sum + size, 0)
    assert.ok(sizeOf(made.index) + added <= limit)
    assert.equal(made.total, sizeOf(made.index) + added)
  })
})

test('what is kept is closed under references, or a public cache has the rest', () => {
  property((input, made) => {
    const named = namedBy(made)
    for (const { references } of named.values()) {
      for (const reference of references) {
        assert.ok(named.has(hashOf(reference)) || made.index.elsewhere.has(reference))
      }
    }
    assert.ok(made.index.elsewhere.isSubsetOf(input.index.elsewhere))
  })
})

test('nothing used is dropped or left out while a pack of which nothing was used is kept', () => {
  property((input, made) => {
    const used = usedBy(input)
    const named = namedBy(made)
    const mayBeUsed = (path: CachedPath) => {
      const hash = hashOf(path.name)
      return used.has(hash) || input.unknown?.has(hash) === true
    }
    const complete = [...used].every(hash => named.has(hash)) && made.leftOut.length === 0
    const kept = Map.groupBy(made.index.paths.values(), path => path.pack)
    if (!complete) for (const paths of kept.values()) assert.ok(paths.some(mayBeUsed))
  })
})

test('nothing goes that has a place', () => {
  property((input, made) => {
    const all = [...input.index.packs].filter(([pack]) =>
      input.index.paths.values().some(path => path.pack === pack),
    )
    const whole = [...all.map(([, { size }]) => size), ...input.candidates.map(({ size }) => size)]
    if (whole.reduce((sum, size) => sum + size, 0) > input.limit) return
    assert.deepEqual([made.dropped.size, made.leftOut.length, made.reasons.length], [0, 0, 0])
    assert.equal(made.index.paths.size, input.index.paths.size)
  })
})

test('a pack is dropped as a whole, or kept with all of its paths that still have their references', () => {
  property((input, made) => {
    const named = namedBy(made)
    for (const [hash, path] of input.index.paths) {
      const stays = made.index.paths.has(hash)
      if (stays) assert.ok(made.index.packs.has(path.pack))
      else if (made.index.packs.has(path.pack)) {
        const has = (name: string) => named.has(hashOf(name)) || input.index.elsewhere.has(name)
        assert.ok(!path.references.every(has))
      }
    }
    for (const pack of made.index.packs.keys()) {
      assert.ok(made.index.paths.values().some(path => path.pack === pack))
    }
  })
})

test('what was used is as young as this run, everything else as old as it was', () => {
  property((input, made) => {
    const used = usedBy(input)
    for (const [hash, { lastUse }] of made.index.paths) {
      const before = input.index.paths.get(hash)?.lastUse ?? 0
      assert.equal(lastUse, used.has(hash) ? now : Math.min(before, now - 1))
    }
  })
})

test('of what was not used, a pack goes only if those that were used later leave it no place', () => {
  const alone = indexes().map(index => {
    return sampleIndex(
      index.paths
        .values()
        .map(path => ({ ...path, references: [] }))
        .toArray(),
    )
  })
  fc.assert(
    fc.property(alone, fc.nat(8000), (index, limit) => {
      const made = plan({ index, candidates: [], used: new Set(), now, limit })
      const lastUse = (pack: string) => {
        const paths = index.paths.values().filter(path => path.pack === pack)
        return Math.max(...paths.map(path => Math.min(path.lastUse, now - 1)))
      }
      for (const lost of made.dropped) {
        const later = made.index.packs.entries().filter(([pack]) => lastUse(pack) >= lastUse(lost))
        const taken = later.reduce((sum, [, { size }]) => sum + size, 0)
        assert.ok(taken + (index.packs.get(lost)?.size ?? 0) > limit)
      }
    }),
    { numRuns: 1000 },
  )
})

test('where only one of two packs has a place, it is not the one that is useless without the other', () => {
  const library = samplePath('library', { pack: packHash('a') })
  const program = samplePath('program', { pack: packHash('b'), references: [library.name] })
  for (const paths of [
    [library, program],
    [program, library],
  ]) {
    const made = plan({ index: sampleIndex(paths), candidates: [], used: new Set(), now, limit: 1500 })
    assert.deepEqual([...made.index.paths.keys()], [hashOf(library.name)])
  }
})

test('the same question has the same answer', () => {
  property((input, made) => assert.deepEqual(plan(input), made))
})

test('what was used in this run goes last, even if it is older by the index', () => {
  const old = samplePath('old', { lastUse: 1, pack: packHash('a') })
  const young = samplePath('young', { lastUse: now - 1, pack: packHash('b') })
  const index = sampleIndex([old, young])
  const made = plan({ index, candidates: [], used: new Set([hashOf(old.name)]), now, limit: 1500 })
  assert.deepEqual([...made.dropped], [young.pack])
  assert.equal(made.index.paths.get(hashOf(old.name))?.lastUse, now)
  assert.match(made.reasons.join(), /1 path \(1\.1 KiB\) had to go to stay within cache-size/)
})

test('what may have been used stays before what was not, and gives way to what was', () => {
  const unknown = samplePath('unknown', { lastUse: 1, pack: packHash('a') })
  const unused = samplePath('unused', { lastUse: now - 1, pack: packHash('b') })
  const index = sampleIndex([unknown, unused])
  const ask = { index, used: new Set<string>(), unknown: new Set([hashOf(unknown.name)]), now, limit: 1500 }
  assert.deepEqual([...plan({ ...ask, candidates: [] }).dropped], [unused.pack])
  assert.equal(plan({ ...ask, candidates: [] }).index.paths.get(hashOf(unknown.name))?.lastUse, 1)
  const fresh = { path: samplePath('fresh', { lastUse: now }), size: 1000 }
  const made = plan({ ...ask, candidates: [fresh] })
  assert.deepEqual(made.dropped, new Set([unknown.pack, unused.pack]))
  assert.deepEqual(made.add, [fresh])
})

test('what does not fit is said', () => {
  const path = samplePath('big', { lastUse: now })
  const empty = sampleIndex([])
  const made = plan({ index: empty, candidates: [{ path, size: 3000 }], used: new Set(), now, limit: 2000 })
  assert.deepEqual([made.add.length, made.leftOut.length, made.total], [0, 1, 0])
  assert.deepEqual(made.reasons, [
    'What this run used is more than cache-size (2.0 KiB).',
    '1 new path (2.9 KiB) did not fit and was not saved.',
  ])
})

test('new paths can have what the packs in use leave', () => {
  const one = samplePath('one', { pack: packHash('a') })
  const two = samplePath('two', { pack: packHash('a') })
  const three = samplePath('three', { pack: packHash('b') })
  const index = sampleIndex([one, two, three])
  const used = new Set([one, two].map(({ name }) => hashOf(name)))
  assert.equal(roomForNew({ index, used, limit: 5000 }), 5000 - 2100)
})
