import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { renderIndex } from '../../../src/cache/index-writing.ts'
import { nextPackKey } from '../../../src/cache/keys.ts'
import { forget, merge, tidy, withRetired } from '../../../src/cache/merge.ts'
import { type CacheIndex, emptyIndex, hashOf } from '../../../src/cache/model.ts'
import { withUses } from '../../../src/cache/policy/items.ts'
import { cacheName, indexes, now, packHash, pathName, sampleIndex, samplePath } from './sample.ts'

// `a` and `b` share the paths that begin with `p` and know the same packs by other sizes and ages.
const pairs = fc.tuple(indexes('p'), indexes('p'))

function same(a: CacheIndex, b: CacheIndex): void {
  assert.equal(renderIndex(a), renderIndex(b))
}

function assertSound(index: CacheIndex): void {
  for (const { pack, references } of index.paths.values()) {
    assert.ok(index.packs.has(pack))
    for (const name of references) assert.ok(index.paths.has(hashOf(name)) || index.elsewhere.has(name))
  }
  for (const hash of index.packs.keys()) assert.ok(index.paths.values().some(({ pack }) => pack === hash))
}

test('it does not matter which of the two came first', () => {
  fc.assert(fc.property(pairs, ([a, b]) => same(merge(a, b), merge(b, a))))
})

test('an index put together with itself, or with nothing, is itself', () => {
  fc.assert(
    fc.property(indexes(), a => {
      same(merge(a, a), a)
      same(merge(a, emptyIndex), a)
    }),
  )
})

test('no path is lost, none is older than before, and the result is sound', () => {
  fc.assert(
    fc.property(pairs, ([a, b]) => {
      const both = merge(a, b)
      assertSound(both)
      for (const one of [a, b]) {
        for (const [hash, { lastUse }] of one.paths)
          assert.ok((both.paths.get(hash)?.lastUse ?? 0) >= lastUse)
        for (const [key, { lastUse }] of one.layers)
          assert.ok((both.layers.get(key)?.lastUse ?? 0) >= lastUse)
      }
      assert.equal(both.paths.size, new Set([...a.paths.keys(), ...b.paths.keys()]).size)
    }),
  )
})

test('what either leaves to a public cache is left to it', () => {
  const name = pathName('glibc')
  const one = sampleIndex([samplePath('x', { references: [name] })], { elsewhere: new Set([name]) })
  assert.equal(merge(emptyIndex, one).paths.size, 1)
  assert.equal(merge(one, emptyIndex).paths.size, 1)
})

test('of two copies of a path the one in the older pack stays, and a pack that is left empty goes', () => {
  const old = sampleIndex([samplePath('x', { pack: packHash('old'), lastUse: 1 })])
  const young = sampleIndex([samplePath('x', { pack: packHash('young'), lastUse: 9 })])
  const packs = new Map(young.packs.entries().map(([hash, pack]) => [hash, { ...pack, created: 700 }]))
  const both = merge({ ...young, packs }, old)
  assert.deepEqual([...both.packs.keys()], [packHash('old')])
  assert.deepEqual(
    [...both.paths.values()].map(({ pack, lastUse }) => [pack, lastUse]),
    [[packHash('old'), 9]],
  )
})

test('of two keys for one pack the one that was made because the other was blocked stays', () => {
  const index = sampleIndex([samplePath('x')])
  const hash = packHash('pack')
  const key = nextPackKey(cacheName, hash, 'abc')
  const packs = new Map(index.packs.entries().map(([name, pack]) => [name, { ...pack, key }]))
  assert.equal(merge(index, { ...index, packs }).packs.get(hash)?.key, key)
  assert.equal(merge({ ...index, packs }, index).packs.get(hash)?.key, key)
})

test('what is forgotten takes along what needs it, and nothing else', () => {
  fc.assert(
    fc.property(indexes(), fc.nat(5), (index, number) => {
      const gone = packHash(`pack ${number}`)
      const rest = forget(index, new Set([gone]))
      assertSound(rest)
      assert.ok(!rest.packs.has(gone))
      const lost = new Set(index.paths.keys().filter(hash => !rest.paths.has(hash)))
      for (const hash of lost) {
        const path = index.paths.get(hash)
        assert.ok(path?.pack === gone || path?.references.some(name => lost.has(hashOf(name))))
      }
    }),
  )
})

test('an index that is sound stays as it is', () => {
  fc.assert(fc.property(indexes(), index => same(tidy(index), index)))
  assert.equal(forget(emptyIndex, new Set()), emptyIndex)
})

test('a pack that one of two gave up does not come back for what the other copy has, or what nobody used lately', () => {
  const day = 86_400
  const [old, lately] = ['old', 'lately'].map((name, at) => {
    return samplePath(name, { pack: packHash('before'), lastUse: now - (3 - 3 * at) * day })
  })
  const moved = samplePath('moved', { pack: packHash('before'), lastUse: now - 60 })
  assert.ok(old !== undefined && lately !== undefined)
  const before = sampleIndex([old, lately, moved])
  const rewritten = sampleIndex([{ ...moved, pack: packHash('after') }])
  const mine = withRetired(rewritten, before, now)
  assert.deepEqual([...mine.retired], [[packHash('before'), now]])
  for (const both of [merge(mine, before), merge(before, mine)]) {
    const packs = [...both.paths.values()].map(({ name, pack }) => [name.slice(33), pack])
    assert.deepEqual(
      new Map(packs as [string, string][]),
      new Map([
        ['moved', packHash('after')],
        ['lately', packHash('before')],
      ]),
    )
    assert.ok(!both.retired.has(packHash('before')), 'what is named is not given up')
  }
  const without = sampleIndex([old])
  assert.equal(merge(mine, without).packs.has(packHash('before')), false)
  // It was made again after that.
  const again = {
    ...without,
    packs: new Map(without.packs.entries().map(([hash, pack]) => [hash, { ...pack, created: now + 1 }])),
  }
  assert.equal(merge(again, mine).packs.has(packHash('before')), true)
})

test('packs that were given up are forgotten after a week, and so many are remembered', () => {
  const before = sampleIndex([samplePath('x')], {
    retired: new Map([
      ['old', now - 8 * 86_400],
      ['young', now - 86_400],
    ]),
  })
  assert.deepEqual([...withRetired(emptyIndex, before, now).retired.keys()], [packHash('pack'), 'young'])
  assert.deepEqual([...withRetired(before, before, now).retired.keys()], ['young'])
  const many = Array.from({ length: 900 }, (_, at) => [`p${at}`, now - at] as const)
  assert.equal(withRetired({ ...emptyIndex, retired: new Map(many) }, emptyIndex, now).retired.size, 500)
})

test('what this run used comes back from a pack that another job has given up meanwhile', () => {
  const used = samplePath('used', { pack: packHash('P'), lastUse: now - 8 * 3600 })
  const opened = sampleIndex([used, samplePath('other', { pack: packHash('O') })])
  const byOther = withRetired(sampleIndex([samplePath('other', { pack: packHash('O') })]), opened, now - 60)
  const hash = hashOf(used.name)
  assert.ok(!merge(byOther, opened).paths.has(hash), 'its last use is too long ago')
  const mine = withUses({ index: opened, candidates: [], used: new Set([hash]), now, limit: 1e9 })
  assert.ok(merge(byOther, mine).paths.has(hash))
})
