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

test('enable=false is looked at before anything else', () => {
  const lines = [
    'type=semver,pattern={{version}},enable=false',
    'type=nothing,enable=false',
    'type=raw,enable=false',
  ]
  assert.deepEqual(
    tagsFor([...lines, 'type=ref,enable=false', 'type=sha,colour=red,enable=false', 'x'], push),
    ['x'],
  )
  assert.throws(() => tagsFor(['type=sha,enable=maybe'], push), /enable=maybe/)
})

test('a value that is empty gives no tag', () => {
  assert.deepEqual(tagsFor(['type=raw,value=', 'type=ref,event=tag,priority=1'], tag), ['v1.2', 'latest'])
  assert.throws(() => tagsFor(['x,'], push), /empty field/)
})

test('latest comes with a git tag only when its rule is the first', () => {
  assert.deepEqual(tagsFor(['type=sha', 'type=ref,event=tag'], tag), ['v1.2', 'sha-0123456', 'latest'])
  assert.deepEqual(tagsFor(['type=raw,value=x,priority=700', 'type=ref,event=tag'], tag), ['x', 'v1.2'])
  assert.deepEqual(tagsFor([], { ...tag, eventName: 'schedule' }), ['nightly', 'v1.2'])
  assert.deepEqual(tagsFor(['type=ref,event=tag'], push), [])
})

test('the format of sha is short or long', () => {
  assert.deepEqual(tagsFor(['type=sha,format=short'], push), ['sha-0123456'])
  assert.throws(() => tagsFor(['type=sha,format=medium'], push), /format=medium/)
})

test('a plain tag can have attributes', () => {
  assert.deepEqual(tagsFor(['foo,enable=true', 'bar,priority=300,prefix=a-', 'type=raw,baz'], push), [
    'a-bar',
    'foo',
    'baz',
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
