import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limiter } from '../../src/util/limiter.ts'

test('only so much runs at a time, the rest in its order, also after failures', async () => {
  const limit = limiter(2)
  const begun: number[] = []
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<number>())
  const results = gates.map((gate, at) =>
    limit(() => {
      begun.push(at)
      return gate.promise
    }),
  )
  await Promise.resolve()
  assert.deepEqual(begun, [0, 1])
  gates[1]?.reject(new Error('no'))
  await assert.rejects(results[1] ?? Promise.resolve(), /no/)
  assert.deepEqual(begun, [0, 1, 2])
  for (const [at, gate] of gates.entries()) gate.resolve(at)
  assert.deepEqual(await Promise.all([results[0], results[2], results[3]]), [0, 2, 3])
  assert.deepEqual(begun, [0, 1, 2, 3])
  assert.equal(await limit(async () => 'again'), 'again')
})
