import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Phases } from '../../src/util/phases.ts'

/** A clock that is moved by hand, in milliseconds; it does not begin at 0. */
function clock() {
  let now = 5000
  return { now: () => now, pass: (milliseconds: number) => (now += milliseconds) }
}

test('phases are listed by their start, with what each took; time between them counts in the whole', async () => {
  const { now, pass } = clock()
  const phases = new Phases(now)
  pass(100)
  const { promise, resolve } = Promise.withResolvers<void>()
  const long = phases.time('long', () => promise)
  pass(100)
  await phases.time('short', async () => pass(300))
  pass(500)
  resolve()
  await long
  pass(1000)
  assert.deepEqual(phases.list(), [
    { name: 'long', start: 0.1, seconds: 0.9 },
    { name: 'short', start: 0.2, seconds: 0.3 },
  ])
  assert.equal(phases.elapsed(), 2)
})

test('a phase that fails is measured and known by what it threw', async () => {
  const { now, pass } = clock()
  const phases = new Phases(now)
  const error = new Error('broke')
  const fails = () =>
    phases.time('outer', () =>
      phases.time('inner', async () => {
        pass(200)
        throw error
      }),
    )
  await assert.rejects(fails, error)
  assert.deepEqual(
    phases.list().map(({ name, seconds }) => [name, seconds]),
    [
      ['inner', 0.2],
      ['outer', 0.2],
    ],
  )
  assert.equal(phases.failedBy(error), 'inner')
  assert.deepEqual(
    phases.list().flatMap(({ name, failed }) => (failed ? [name] : [])),
    ['inner'],
  )
  assert.equal(phases.failedBy(new Error('broke')), undefined)
})
