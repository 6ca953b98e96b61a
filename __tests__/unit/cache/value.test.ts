import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CachedPath } from '../../../src/cache/model.ts'
import { likelihood, savedSeconds, secondsToGetBack } from '../../../src/cache/value.ts'
import { indexes, now, samplePath } from './sample.ts'

function worthOf(...paths: readonly CachedPath[]): number[] {
  return savedSeconds(paths, now)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

test('a path is worth something, as a number, whatever is known of it', () => {
  fc.assert(
    fc.property(indexes(), fc.nat(2 * now), (index, time) => {
      const paths = [...index.paths.values()]
      const worths = savedSeconds(paths, time)
      assert.equal(worths.length, paths.length)
      for (const worth of worths) assert.ok(Number.isFinite(worth) && worth >= 0)
    }),
  )
})

test('what took longer, or was used later, is worth more', () => {
  const any = fc.record({
    cost: fc.integer({ min: 1, max: 9999 }),
    age: fc.nat(9_000_000),
    fileSize: fc.nat(1e7),
  })
  fc.assert(
    fc.property(any, fc.integer({ min: 1, max: 9999 }), ({ cost, age, fileSize }, more) => {
      const path = samplePath('x', { cost, fileSize, lastUse: now - age })
      const [worth = 0] = worthOf(path)
      assert.ok((worthOf({ ...path, cost: cost + more })[0] ?? 0) > worth)
      assert.ok(
        (worthOf({ ...path, lastUse: path.lastUse + more })[0] ?? 0) >= worth * (age === 0 ? 1 : 1 + 1e-12),
      )
    }),
  )
})

test('the likelihood of a use is 1 now and falls with the time, ever more slowly', () => {
  assert.equal(likelihood(0), 1)
  assert.equal(likelihood(-5), 1)
  const day = 86_400
  const days = [0, 1, 2, 4, 8, 16, 32, 64].map(age => likelihood(age * day))
  for (const [at, value] of days.entries()) assert.ok(at === 0 || value < (days[at - 1] ?? 0))
  const rates = days.slice(1).map((value, at) => value / (days[at] ?? 1))
  assert.ok((rates[0] ?? 0) < 1 && rates.every(rate => rate > 1 / 5))
})

test('seconds are as measured, and estimated by size and origin where nobody measured', () => {
  const path = samplePath('x', { narSize: 30_000_000, fileSize: 10_000_000 })
  assert.equal(secondsToGetBack({ ...path, cost: 7 }), 7)
  assert.equal(secondsToGetBack({ ...path, cost: 0 }), 0.1)
  assert.equal(secondsToGetBack(path), 33)
  assert.equal(secondsToGetBack({ ...path, origin: 'source' }), 2)
  assert.ok(secondsToGetBack({ ...path, origin: 'upstream' }) < 0.5)
  const order = (['built', 'source', 'upstream'] as const).map(origin => worthOf({ ...path, origin })[0] ?? 0)
  assert.deepEqual(
    order,
    order.toSorted((a, b) => b - a),
  )
})

test('outputs of one build share its seconds, as long as they are used together', () => {
  const one = samplePath('one', { cost: 100, deriver: 'x.drv', fileSize: 3000 })
  const two = samplePath('two', { cost: 100, deriver: 'x.drv', fileSize: 1000 })
  const both = { ...one, fileSize: 4001 }
  assert.ok(Math.abs(sum(worthOf(one, two)) - sum(worthOf(both))) < 1e-3 * sum(worthOf(both)))
  const [a = 0, b = 0] = worthOf(one, two)
  assert.ok(Math.abs(a / one.fileSize - b / two.fileSize) < 1e-5)
  assert.ok(sum(worthOf(one, { ...two, lastUse: one.lastUse - 1 })) > sum(worthOf(one, two)) * 1.2)
})

test('what is quicker to make than to fetch is worth next to nothing, and still something', () => {
  const copied = samplePath('copied', { cost: 1, fileSize: 500_000_000 })
  const [little = 0, much = 0] = worthOf(copied, { ...copied, name: `${copied.name}x`, cost: 50 })
  assert.ok(little > 0 && little < much / 10)
})
