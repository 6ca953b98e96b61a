import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { reach } from '../../../src/cache/closure.ts'
import { type CachedPath, type CacheIndex, hashOf, sizeOf } from '../../../src/cache/model.ts'
import type { Candidate, Plan, PlanInput } from '../../../src/cache/policy/model.ts'
import { plan } from '../../../src/cache/policy.ts'
import { sizeInCache } from '../../../src/cache/size.ts'
import type { Worth } from '../../../src/cache/value.ts'
import { indexes, now, packHash, questions, sampleIndex, samplePath } from './sample.ts'

const allTheSame: Worth = paths => paths.map(() => 1)
const byName: Worth = paths => paths.map(({ name }) => name.charCodeAt(0))
const worths = fc.constantFrom<Worth | undefined>(undefined, allTheSame, byName)

function property(check: (input: PlanInput, made: Plan) => void): void {
  fc.assert(
    fc.property(questions, worths, (question, worth) => {
      const input = worth === undefined ? question : { ...question, worth }
      check(input, plan(input))
    }),
    { numRuns: 1000 },
  )
}

function bytesOf(some: readonly Candidate[]): number {
  return some.reduce((sum, { size }) => sum + size, 0)
}

function movedBy({ rewrite }: Plan): Candidate[] {
  return [...rewrite.values()].flat()
}

/** All that remains named, with what is added and what moves. */
function namedBy(made: Plan): Map<string, CachedPath> {
  const others = [...made.add, ...movedBy(made)]
  return new Map([...made.index.paths, ...others.map(({ path }) => [hashOf(path.name), path] as const)])
}

function reachIn(index: CacheIndex, roots: Iterable<string>): Set<string> {
  return reach(roots, hash => index.paths.get(hash)?.references.map(hashOf))
}

function usedBy({ index, used, candidates }: PlanInput): Set<string> {
  return reachIn(index, [...used, ...candidates.flatMap(({ path }) => path.references.map(hashOf))])
}

/** What was used, or may have been. */
function mayBeUsedBy(input: PlanInput): Set<string> {
  return usedBy(input).union(reachIn(input.index, input.unknown ?? []))
}

function wholeSize({ index, candidates }: PlanInput): number {
  return sizeOf(index) + bytesOf(candidates)
}

test('packs that are named, what is added and what moves are within the limit, dead bytes included', () => {
  property(({ limit }, made) => {
    const bytes = sizeOf(made.index) + bytesOf(made.add) + bytesOf(movedBy(made))
    assert.ok(bytes <= limit)
    assert.equal(made.total, bytes)
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

test('nothing used is dropped while anything is kept for the sake of what was not', () => {
  property((input, made) => {
    const mayBeUsed = mayBeUsedBy(input)
    const named = namedBy(made)
    if ([...usedBy(input)].every(hash => named.has(hash))) return
    const kept = Map.groupBy(made.index.paths.values(), path => path.pack)
    for (const paths of kept.values()) assert.ok(paths.some(({ name }) => mayBeUsed.has(hashOf(name))))
    for (const { path } of movedBy(made)) assert.ok(mayBeUsed.has(hashOf(path.name)))
  })
})

test('what is left out has no place even when all goes that was not used', () => {
  property((input, made) => {
    const used = mayBeUsedBy(input)
    const named = namedBy(made)
    const needed = new Set(
      made.index.paths
        .values()
        .filter(({ name }) => used.has(hashOf(name)))
        .map(({ pack }) => pack),
    )
    const whole = sizeOf({ packs: new Map(made.index.packs.entries().filter(([hash]) => needed.has(hash))) })
    const moved = movedBy(made).filter(({ path }) => used.has(hashOf(path.name)))
    for (const { path, size } of made.leftOut) {
      const has = (name: string) => named.has(hashOf(name)) || input.index.elsewhere.has(name)
      if (path.references.every(has)) {
        assert.ok(size + whole + bytesOf(moved) + bytesOf(made.add) > input.limit)
      }
    }
  })
})

test('nothing goes that has a place', () => {
  property((input, made) => {
    if (wholeSize(input) > input.limit) return
    assert.equal(made.leftOut.length, 0)
    assert.deepEqual(
      new Set(namedBy(made).keys()).difference(new Set(input.index.paths.keys())).size,
      made.add.length,
    )
    assert.equal(made.index.paths.size + movedBy(made).length, input.index.paths.size)
    for (const hash of made.dropped)
      assert.ok(made.rewrite.has(hash) || !input.index.paths.values().some(path => path.pack === hash))
    for (const reason of made.reasons) assert.match(reason, /rewritten/)
  })
})

test('a pack that stays keeps all of its paths that still have their references', () => {
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

test('only what may be is rewritten, within the requests there are, and it is named by its old pack no more', () => {
  property((input, made) => {
    // What moves goes along with what is new, where there is something.
    let calls = made.rewrite.size === 0 || made.add.length > 0 ? 0 : 3
    if (input.calls === 0) assert.equal(made.rewrite.size, 0)
    for (const [hash, members] of made.rewrite) {
      assert.ok(members.length > 0)
      assert.ok(input.rewritable?.has(hash) !== false)
      assert.ok(made.dropped.has(hash) && !made.index.packs.has(hash))
      assert.ok(bytesOf(members) <= (input.index.packs.get(hash)?.size ?? 0))
      for (const { path, size } of members) {
        assert.deepEqual([path.pack, size], [hash, sizeInCache(path)])
        assert.ok(!made.index.paths.has(hashOf(path.name)))
      }
      if (input.onDisk?.has(hash) !== true) calls += 2
    }
    assert.ok(calls <= (input.calls ?? 0))
  })
})

/** The same question about paths of megabytes. */
function enlarged(question: PlanInput): PlanInput {
  const large = (path: CachedPath): CachedPath => ({ ...path, fileSize: path.fileSize * 50_000 })
  const index = question.index
  const paths = new Map([...index.paths].map(([hash, path]) => [hash, large(path)]))
  const packs = [...index.packs].map(([hash, pack]) => [hash, { ...pack, size: pack.size * 50_000 }] as const)
  const candidates = question.candidates.map(({ path }) => {
    return { path: large(path), size: sizeInCache(large(path)) }
  })
  return {
    ...question,
    index: { ...index, paths, packs: new Map(packs) },
    candidates,
    limit: question.limit * 25_000,
  }
}

test('what is rewritten does not need more requests when it is large', () => {
  const MiB64 = 64 * 1024 ** 2
  fc.assert(
    fc.property(questions, question => {
      const input = enlarged(question)
      const made = plan(input)
      const fetched = [...made.rewrite.keys()].filter(hash => !input.onDisk?.has(hash)).length
      const packs = (bytes: number) => Math.ceil(bytes / MiB64)
      const fresh = bytesOf(made.add)
      const sent = packs(fresh + bytesOf(movedBy(made))) - packs(fresh)
      assert.ok(made.rewrite.size === 0 || 2 * fetched + 3 * sent <= (input.calls ?? 0))
      assert.ok(made.total <= input.limit)
    }),
    { numRuns: 2000 },
  )
})

test('a rewrite frees more than half of a pack, or what has no room otherwise', () => {
  property((input, made) => {
    for (const [hash, members] of made.rewrite) {
      const size = input.index.packs.get(hash)?.size ?? 0
      const dead = size - bytesOf(members)
      assert.ok(dead * 2 > size || made.total + dead > input.limit)
    }
  })
})

test('a pack less than half alive is rewritten when there are requests for it', () => {
  property((input, made) => {
    if (wholeSize(input) > input.limit) return
    const alive = Map.groupBy(input.index.paths.values(), path => path.pack)
    const halfDead = [...input.index.packs].filter(([hash, { size }]) => {
      const bytes = (alive.get(hash) ?? []).reduce((sum, path) => sum + sizeInCache(path), 0)
      return bytes > 0 && bytes * 2 < size && input.rewritable?.has(hash) !== false
    })
    const needed = halfDead.reduce((sum, [hash]) => sum + (input.onDisk?.has(hash) ? 0 : 2), 3)
    if (needed <= (input.calls ?? 0)) for (const [hash] of halfDead) assert.ok(made.rewrite.has(hash))
  })
})

test('what was used is as young as this run, everything else as old as it was', () => {
  property((input, made) => {
    const used = usedBy(input)
    const add = new Set(made.add.map(({ path }) => hashOf(path.name)))
    for (const [hash, { lastUse }] of namedBy(made)) {
      if (add.has(hash)) continue
      const before = input.index.paths.get(hash)?.lastUse ?? 0
      assert.equal(lastUse, used.has(hash) ? now : Math.min(before, now - 1))
    }
  })
})

test('the same question has the same answer', () => {
  property((input, made) => assert.deepEqual(plan(input), made))
})

test('of packs that are as large and were not used, those are kept that are worth most', () => {
  const alone = fc.array(fc.record({ cost: fc.integer({ min: 1, max: 5000 }), age: fc.nat(900_000) }), {
    minLength: 1,
    maxLength: 12,
  })
  fc.assert(
    fc.property(alone, fc.nat(12), (some, places) => {
      const paths = some.map(({ cost, age }, at) =>
        samplePath(`p${at % 10}${at > 9}`, {
          cost,
          lastUse: now - 1 - age,
          pack: packHash(`${at}`),
          deriver: `${at}`,
        }),
      )
      const index = sampleIndex(paths)
      const size = Math.max(...index.packs.values().map(pack => pack.size))
      const made = plan({ index, candidates: [], used: new Set(), now, limit: places * size })
      const days = (path: CachedPath) => (now - path.lastUse) / 86_400
      const worth = (path: CachedPath) => Math.sqrt(path.cost ?? 0) / (3 + days(path)) ** 2
      const stay = paths.filter(({ name }) => made.index.paths.has(hashOf(name)))
      const gone = paths.filter(({ name }) => !made.index.paths.has(hashOf(name)))
      for (const kept of stay) for (const lost of gone) assert.ok(worth(kept) >= worth(lost) * 0.999)
    }),
    { numRuns: 500 },
  )
})

test('where only one of two packs has a place, it is not the one that is useless without the other', () => {
  const library = samplePath('library', { pack: packHash('a') })
  const program = samplePath('program', { pack: packHash('b'), references: [library.name], cost: 1000 })
  for (const paths of [
    [library, program],
    [program, library],
  ]) {
    const index = sampleIndex(paths)
    const made = plan({ index, candidates: [], used: new Set(), now, limit: sizeOf(index) - 1000 })
    assert.deepEqual([...made.index.paths.keys()], [hashOf(library.name)])
  }
})

/** A path in a pack of its own, so that it can go alone. */
function alone(name: string, more: Partial<CachedPath> = {}): CachedPath {
  return samplePath(name, { pack: packHash(name), deriver: name, ...more })
}

/** What of these paths is kept when one of them has to go. */
function keptOf(paths: readonly CachedPath[], more: Partial<PlanInput> = {}): string[] {
  const index = sampleIndex(paths)
  const limit = sizeOf(index) - 1
  const made = plan({ index, candidates: [], used: new Set(), now, limit, ...more })
  return [...namedBy(made).values()].map(({ name }) => name.slice(33)).sort()
}

test('what took long to make is kept before what was made quickly, unless it was long ago', () => {
  const day = 86_400
  const quick = alone('quick', { cost: 10, lastUse: now - 2 * day })
  assert.deepEqual(keptOf([quick, alone('slow', { cost: 100, lastUse: now - 2 * day })]), ['slow'])
  assert.deepEqual(keptOf([quick, alone('slow', { cost: 10.5, lastUse: now - 9 * day })]), ['quick'])
  assert.deepEqual(keptOf([quick, alone('slow', { cost: 1000, lastUse: now - 9 * day })]), ['slow'])
})

test('a library is worth what all that needs it is worth', () => {
  const library = alone('library', { cost: 1, fileSize: 50_000 })
  const programs = ['a', 'b', 'c'].map(name => alone(name, { cost: 600, references: [library.name] }))
  const other = alone('other', { cost: 60, fileSize: 50_000 })
  assert.deepEqual(keptOf([library, other, ...programs]), ['a', 'b', 'c', 'library'])
  // A small thing that needs it does not make it dear.
  const [one = library] = programs
  const dear = alone('dear', { cost: 3000, fileSize: 50_000 })
  assert.deepEqual(keptOf([library, { ...one, cost: 20 }, dear]), ['dear', 'library'])
})

test('what was used in this run goes last, even if it is older by the index and cheap', () => {
  const old = samplePath('old', { lastUse: 1, pack: packHash('a'), cost: 1 })
  const young = samplePath('young', { lastUse: now - 1, pack: packHash('b'), cost: 1000 })
  const index = sampleIndex([old, young])
  const used = new Set([hashOf(old.name)])
  const made = plan({ index, candidates: [], used, now, limit: sizeOf(index) - 1 })
  assert.deepEqual([...made.dropped], [young.pack])
  assert.equal(made.index.paths.get(hashOf(old.name))?.lastUse, now)
})

test('what may have been used stays before what was not, and gives way to what was', () => {
  const unknown = alone('unknown', { lastUse: 1, cost: 1000 })
  const unused = alone('unused', { lastUse: now - 1, cost: 5000 })
  const index = sampleIndex([unknown, unused])
  const one = sizeOf(index) / 2
  const ask = {
    index,
    used: new Set<string>(),
    unknown: new Set([hashOf(unknown.name)]),
    now,
    limit: one * 1.5,
  }
  assert.deepEqual([...plan({ ...ask, candidates: [] }).dropped], [unused.pack])
  assert.equal(plan({ ...ask, candidates: [] }).index.paths.get(hashOf(unknown.name))?.lastUse, 1)
  const fresh = { path: samplePath('fresh', { lastUse: now, cost: 1 }), size: one }
  const made = plan({ ...ask, candidates: [fresh] })
  assert.deepEqual(made.dropped, new Set([unknown.pack, unused.pack]))
  assert.deepEqual(made.add, [fresh])
})

test('outputs of one build that were used together stay together', () => {
  const [out, dev] = ['out', 'dev'].map(name =>
    alone(name, { cost: 100, deriver: 'x.drv', fileSize: 30_000 }),
  )
  const other = alone('other', { cost: 70, fileSize: 30_000 })
  assert.ok(out !== undefined && dev !== undefined)
  const pair = { ...dev, pack: out.pack }
  assert.deepEqual(keptOf([out, pair, other]), ['other'])
  // Each of them alone brings the build.
  assert.deepEqual(keptOf([out, { ...dev, lastUse: 1 }, other]), ['other', 'out'])
})

test('dead bytes are freed before anything has to go', () => {
  const paths = ['a', 'b', 'c'].map(name =>
    samplePath(name, { pack: packHash(name === 'a' ? 'one' : 'two'), cost: 100 }),
  )
  const sound = sampleIndex(paths)
  const packs = sound.packs
    .entries()
    .map(([hash, pack]) => [hash, { ...pack, size: pack.size * 1.5 }] as const)
  const index = { ...sound, packs: new Map(packs) }
  const ask = { index, candidates: [], used: new Set<string>(), now, limit: sizeOf(index) - 1 }
  assert.equal(namedBy(plan(ask)).size, 2, 'without a request to spare a pack goes')
  const made = plan({ ...ask, calls: 20 })
  assert.deepEqual([namedBy(made).size, made.rewrite.size], [3, 1])
  assert.match(made.reasons.join(), /^1 pack \(.*\) was rewritten to free /)
})

test('what was used does not go because of what lies beside it in its pack', () => {
  const used = samplePath('used', { cost: 1 })
  const large = samplePath('large', { cost: 1, fileSize: 90_000 })
  const index = sampleIndex([used, large])
  const fresh = { path: samplePath('fresh', { lastUse: now, cost: 1 }), size: 2000 }
  const ask = {
    index,
    candidates: [fresh],
    used: new Set([hashOf(used.name)]),
    now,
    limit: sizeOf(index) / 2,
  }
  assert.equal(namedBy(plan(ask)).size, 1)
  const made = plan({ ...ask, calls: 3, onDisk: new Set([used.pack]) })
  assert.deepEqual(
    [...namedBy(made).keys()].sort(),
    [used, fresh.path].map(({ name }) => hashOf(name)).sort(),
  )
})

test('many small packs become fewer, those first that are here', () => {
  const paths = Array.from({ length: 20 }, (_, at) => samplePath(`p${at}`, { pack: packHash(`${at}`) }))
  const ask = { index: sampleIndex(paths), candidates: [], used: new Set<string>(), now, limit: 1e9 }
  const near = [3, 5, 7, 9].map(at => packHash(`${at}`))
  const made = plan({ ...ask, calls: 5, onDisk: new Set(near) })
  assert.equal(made.rewrite.size, 5)
  for (const hash of near) assert.ok(made.rewrite.has(hash))
  assert.equal(namedBy(made).size, 20)
  assert.deepEqual(made.reasons.length, 1)
  assert.match(made.reasons.join(), /^5 packs \(.*\) were rewritten to have fewer small ones\.$/)
  assert.equal(plan({ ...ask, calls: 4 }).rewrite.size, 0, 'to write one pack for one pack is no use')
  assert.equal(plan({ ...ask, index: sampleIndex(paths.slice(0, 16)), calls: 20 }).rewrite.size, 0)
})

test('what does not fit is said, with the size that would be enough', () => {
  const path = samplePath('big', { lastUse: now })
  const empty = sampleIndex([])
  const made = plan({ index: empty, candidates: [{ path, size: 3000 }], used: new Set(), now, limit: 2000 })
  assert.deepEqual([made.add.length, made.leftOut.length, made.total], [0, 1, 0])
  assert.deepEqual(made.reasons, [
    'cache-size (2.0 KiB) is too small for what this run used: 2.9 KiB would be enough.',
    '1 new path (2.9 KiB) did not fit and was not saved.',
  ])
})

test('what was dropped and kept is said, with the reason', () => {
  const day = 86_400
  const old = ['a', 'b'].map((name, at) => alone(name, { lastUse: now - (9 - 3 * at) * day, cost: 5 }))
  const young = alone('young', { lastUse: now - 10, cost: 300 })
  const index = sampleIndex([...old, young])
  const limit = sizeOf(index) / 2
  const made = plan({ index, candidates: [], used: new Set(), now, limit })
  assert.equal(made.reasons.length, 2)
  assert.match(
    made.reasons[0] ?? '',
    /^2 paths \(4\.1 KiB\) were dropped to stay within cache-size \(3\.2 KiB\): cheapest to get back for their size, unused for 6 days to 9 days\.$/,
  )
  assert.match(
    made.reasons[1] ?? '',
    /^1 path \(2\.1 KiB\) was kept, which would take 5 min 0 s to get back\.$/,
  )
  const seconds = plan({
    index: sampleIndex([young, alone('b', { lastUse: now - 9 })]),
    candidates: [],
    used: new Set(),
    now,
    limit,
  })
  assert.doesNotMatch(seconds.reasons.join(), /unused/)
})

test('indexes of any kind are planned with any limit', () => {
  fc.assert(
    fc.property(indexes(), fc.integer({ min: -1, max: 1e6 }), (index, limit) => {
      assert.ok(
        plan({ index, candidates: [], used: new Set(), now, limit, calls: 25 }).total <= Math.max(0, limit),
      )
    }),
  )
})
