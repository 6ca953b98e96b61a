import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { keepOrder } from '../../../src/cache/policy/order.ts'

type Node = { readonly name: number; readonly rank: number; size: number; value: number; references: Node[] }

/** Items that refer to earlier ones, of which none is of a lower rank, in any order. */
const graphs = fc
  .array(
    fc.record({
      rank: fc.nat(2),
      size: fc.integer({ min: 1, max: 100 }),
      value: fc.nat(100),
      references: fc.array(fc.nat(30), { maxLength: 4 }),
    }),
    { maxLength: 25 },
  )
  .chain(nodes => {
    const made: Node[] = []
    for (const [name, { rank, size, value, references }] of nodes.entries()) {
      const known = references.flatMap(at => made[at] ?? [])
      made.push({
        name,
        size,
        value,
        references: known,
        rank: Math.min(rank, ...known.map(other => other.rank)),
      })
    }
    return fc.shuffledSubarray(made, { minLength: made.length })
  })

test('whatever is kept from the front is closed, and nothing of a lower rank comes before a higher one', () => {
  fc.assert(
    fc.property(graphs, nodes => {
      const { order, densities } = keepOrder(nodes, node => node)
      assert.deepEqual(new Set(order), new Set(nodes))
      assert.equal(order.length, nodes.length)
      for (const [at, node] of order.entries()) {
        for (const reference of node.references) assert.ok(order.indexOf(reference) < at)
        const [before, density] = [order[at - 1], densities[at] ?? 0]
        if (before === undefined) continue
        assert.ok(before.rank >= node.rank)
        if (before.rank === node.rank) assert.ok((densities[at - 1] ?? 0) >= density)
      }
    }),
    { numRuns: 1000 },
  )
})

test('items that need nothing come by value per byte', () => {
  fc.assert(
    fc.property(graphs, nodes => {
      const alone = nodes.map(node => ({ ...node, rank: 0, references: [] }))
      const { order } = keepOrder(alone, node => node)
      const densities = order.map(({ size, value }) => value / size)
      assert.deepEqual(
        densities,
        densities.toSorted((a, b) => b - a),
      )
    }),
  )
})

test('a library counts with what needs it, by its share, and what needs it no more than that', () => {
  const node = (name: number, size: number, value: number, references: Node[] = []): Node => {
    return { name, size, value, references, rank: 0 }
  }
  const library = node(0, 100, 1)
  const programs = [1, 2, 3].map(name => node(name, 10, 50, [library]))
  const other = node(4, 100, 60)
  const names = (nodes: readonly Node[]) => keepOrder(nodes, one => one).order.map(({ name }) => name)
  assert.deepEqual(names([other, library, ...programs]), [0, 1, 2, 3, 4])
  assert.deepEqual(names([other, library, ...programs.slice(0, 1)]), [4, 0, 1])
  // A program that needs two libraries does not make each of them as dear as itself.
  const libraries = [5, 6].map(name => node(name, 100, 1))
  assert.deepEqual(names([...libraries, node(7, 10, 100, libraries), other]), [4, 5, 6, 7])
})

test('items in a circle come to an end', () => {
  const one: Node = { name: 1, rank: 0, size: 1, value: 1, references: [] }
  const two: Node = { name: 2, rank: 0, size: 1, value: 1, references: [one] }
  one.references.push(two, one)
  assert.equal(keepOrder([one, two], node => node).order.length, 2)
})
