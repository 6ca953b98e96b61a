import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { indexKey, indexPrefix, isPackKey, nextPackKey, nixKey, packKey } from '../../../src/cache/keys.ts'
import { packHash } from './sample.ts'

const saved = { now: 1_795_231_480_344, runId: '19000000001', attempt: '2', random: 'abc' }
const scopes = fc.oneof(fc.string(), fc.constantFrom('', 'a', 'a-', 'a-b', 'a_b', 'A', 'a,b', 'ä'))
const systems = fc.constantFrom('x86_64-linux', 'aarch64-linux', 'x86_64-linux-a')

test('keys are what the service takes, whatever they are made of', () => {
  fc.assert(
    fc.property(systems, scopes, fc.string(), (system, scope, random) => {
      const name = { system, scope }
      for (const key of [
        indexKey(name, { ...saved, random }),
        nextPackKey(packHash(scope), random),
        nixKey(scope),
      ]) {
        assert.match(key, /^[A-Za-z0-9_.-]{1,512}$/)
      }
    }),
  )
})

test('the prefix finds what was saved for the same system and scope, and nothing else', () => {
  fc.assert(
    fc.property(systems, scopes, systems, scopes, (system, scope, otherSystem, otherScope) => {
      const found = indexKey({ system, scope }, saved).startsWith(
        indexPrefix({ system: otherSystem, scope: otherScope }),
      )
      assert.equal(found, system === otherSystem && scope === otherScope)
    }),
  )
})

test('a later save sorts behind an earlier one', () => {
  const name = { system: 'x86_64-linux', scope: '' }
  assert.ok(indexKey(name, { ...saved, now: 9 }) < indexKey(name, { ...saved, now: 10 }))
})

test('an index may name a pack by its own keys only', () => {
  const hash = packHash('a')
  assert.equal(isPackKey(packKey(hash), hash), true)
  assert.equal(isPackKey(nextPackKey(hash, 'f00'), hash), true)
  for (const key of [packKey(packHash('b')), '', 'nia1-index-x', `${packKey(hash)}0`, `${packKey(hash)}-a,b`])
    assert.equal(isPackKey(key, hash), false, key)
})
