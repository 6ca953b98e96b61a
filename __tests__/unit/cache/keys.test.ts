import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  cachePrefixes,
  generationOf,
  indexKey,
  indexPrefix,
  isPackKey,
  nextPackKey,
  nixKey,
  packKey,
} from '../../../src/cache/keys.ts'
import { cacheName, packHash } from './sample.ts'

const scopes = fc.oneof(fc.string(), fc.constantFrom('', 'a', 'a-', 'a-b', 'a_b', 'A', 'a,b', 'ä'))
const systems = fc.constantFrom('x86_64-linux', 'aarch64-linux', 'x86_64-linux-a')
const refs = fc.oneof(
  fc.string(),
  fc.constantFrom('refs/heads/main', 'refs/heads/main-2', 'refs/pull/7/merge', 'refs/tags/main'),
)
const names = fc.record({ system: systems, scope: scopes, ref: refs })
const generations = fc.integer({ min: 1, max: 2_000_000 })

test('keys are what the service takes, whatever they are made of', () => {
  fc.assert(
    fc.property(names, generations, fc.string(), (name, generation, random) => {
      for (const key of [
        indexKey(name, generation),
        nextPackKey(name, packHash(name.scope), random),
        nixKey(name.scope),
      ]) {
        assert.match(key, /^[A-Za-z0-9_.-]{1,512}$/)
      }
    }),
  )
})

test('a prefix finds what was saved for the same system, scope and ref, and nothing else', () => {
  fc.assert(
    fc.property(names, names, generations, (name, other, generation) => {
      const same = name.system === other.system && name.scope === other.scope
      const key = indexKey(name, generation)
      assert.equal(key.startsWith(indexPrefix(other)), same && name.ref === other.ref)
      assert.equal(generationOf(other, key), same && name.ref === other.ref ? generation : 0)
      const { indexes, packs } = cachePrefixes(other)
      assert.equal(key.startsWith(indexes), same)
      assert.equal(packKey(name, packHash('x')).startsWith(packs), same)
      assert.equal(nextPackKey(name, packHash('x'), 'y').startsWith(packs), same)
    }),
  )
})

test('what is no key of an index has no number', () => {
  const name = { ...cacheName, ref: 'refs/heads/main' }
  for (const key of [undefined, '', indexPrefix(name), `${indexKey(name, 3)}x`, `${indexPrefix(name)}-00003`])
    assert.equal(generationOf(name, key), 0, key)
})

test('an index may name a pack by its own keys only', () => {
  const hash = packHash('a')
  assert.equal(isPackKey(packKey(cacheName, hash), hash), true)
  assert.equal(isPackKey(nextPackKey(cacheName, hash, 'f00'), hash), true)
  const wrong = [packKey(cacheName, packHash('b')), '', 'nia1-index-x', `nia1-pack-${hash}`]
  for (const key of [...wrong, `${packKey(cacheName, hash)}0`, `${packKey(cacheName, hash)}-a,b`])
    assert.equal(isPackKey(key, hash), false, key)
})
