import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { renderIndex } from '../../../src/cache/index-file.ts'
import { nextPackKey } from '../../../src/cache/keys.ts'
import { forget, merge, tidy } from '../../../src/cache/merge.ts'
import { type CacheIndex, emptyIndex, hashOf } from '../../../src/cache/model.ts'
import { indexes, packHash, pathName, sampleIndex, samplePath } from './sample.ts'

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
  const key = nextPackKey(hash, 'abc')
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
