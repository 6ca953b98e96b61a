import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queue } from '../../src/util/queue.ts'

/** Work that begins when its turn comes and ends when it is told to. */
function workshop(count: number) {
  const turns = queue(count)
  const begun: string[] = []
  const gates = new Map<string, PromiseWithResolvers<string>>()
  const start = (name: string, rank = 0) => {
    const gate = Promise.withResolvers<string>()
    gates.set(name, gate)
    return turns.run(name, rank, () => {
      begun.push(name)
      return gate.promise
    })
  }
  const end = async (name: string) => {
    gates.get(name)?.resolve(name)
    await new Promise(setImmediate)
  }
  return { turns, begun, gates, start, end }
}

test('only so much runs at a time, the rest in its order, also after failures', async () => {
  const { begun, gates, start, end } = workshop(2)
  const [, second] = [start('a'), start('b'), start('c'), start('d')]
  assert.deepEqual(begun, ['a', 'b'])
  gates.get('b')?.reject(new Error('no'))
  await assert.rejects(second ?? Promise.resolve(), /no/)
  await end('a')
  assert.deepEqual(begun, ['a', 'b', 'c', 'd'])
  await end('c')
  await end('d')
  const last = start('e')
  await end('e')
  assert.equal(await last, 'e')
})

test('what has a lower rank, also given to it later, comes first', async () => {
  const { turns, begun, start, end } = workshop(1)
  void start('now')
  void start('late', 2)
  void start('later', 2)
  void start('soon', 1)
  turns.hurry('later', 0)
  turns.hurry('soon', 2)
  turns.hurry('unknown', 0)
  for (const name of ['now', 'later', 'soon', 'late']) await end(name)
  assert.deepEqual(begun, ['now', 'later', 'soon', 'late'])
})
