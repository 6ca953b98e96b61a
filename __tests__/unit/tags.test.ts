import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { tagsFor } from '../../src/metadata/tags.ts'

const sha = '0123456789abcdef0123456789abcdef01234567'
const push = { eventName: 'push', ref: 'refs/heads/main', sha }
const tag = { eventName: 'push', ref: 'refs/tags/v1.2', sha }
const pr = { eventName: 'pull_request', ref: 'refs/pull/7/merge', sha }
const schedule = { eventName: 'schedule', ref: 'refs/heads/main', sha }

test('without a list each event has its name', () => {
  assert.deepEqual(tagsFor([], push), ['main'])
  assert.deepEqual(tagsFor([], { ...push, ref: 'refs/heads/feature/x y' }), ['feature-x-y'])
  assert.deepEqual(tagsFor([], tag), ['v1.2', 'latest'])
  assert.deepEqual(tagsFor([], pr), ['pr-7'])
  assert.deepEqual(tagsFor([], schedule), ['nightly', 'main'])
})

test('lines are ordered by priority, and repeats are left out', () => {
  assert.deepEqual(tagsFor(['type=sha', 'type=raw,value=x', 'y', 'type=ref,event=branch', 'x'], push), [
    'main',
    'x',
    'y',
    'sha-0123456',
  ])
  assert.deepEqual(tagsFor(['type=sha,format=long,prefix=', 'type=raw,value=x,priority=50'], push), [
    sha,
    'x',
  ])
  assert.deepEqual(tagsFor(['type=raw,value=x,enable=false', 'type=raw,value=z,prefix=a-,suffix=-b'], push), [
    'a-z-b',
  ])
})

test('every line that is not understood is named', () => {
  assert.throws(
    () =>
      tagsFor(['type=semver,pattern={{version}}', 'type=raw', 'type=nothing', 'type=sha,colour=red'], tag),
    (error: Error) =>
      /semver.*not in this version/.test(error.message) &&
      /type=raw: needs a value/.test(error.message) &&
      /type=nothing/.test(error.message) &&
      /no attribute 'colour'/.test(error.message),
  )
})

test('whatever the ref, a tag is one that a registry takes', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), name => {
      for (const made of tagsFor([], { ...push, ref: `refs/heads/${name}` }))
        assert.match(made, /^\w[\w.-]{0,127}$/)
    }),
  )
})
