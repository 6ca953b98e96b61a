import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { closeReferences, reach, wellFounded } from '../../../src/cache/closure.ts'

const graphs = fc
  .dictionary(fc.constantFrom(...'abcdefgh'), fc.array(fc.constantFrom(...'abcdefghxy'), { maxLength: 3 }))
  .map(object => new Map(Object.entries(object)))
const elsewhere = (path: string) => path === 'x'

test('what is kept has all of its references; what is not could not have been kept', () => {
  fc.assert(
    fc.property(graphs, graph => {
      const kept = closeReferences(graph, elsewhere)
      const has = (path: string) => kept.has(path) || elsewhere(path)
      // The largest closed set: what a naive elimination leaves.
      const naive = new Set(graph.keys())
      for (let size = -1; size !== naive.size; ) {
        size = naive.size
        for (const path of naive) {
          if (!(graph.get(path) ?? []).every(name => naive.has(name) || elsewhere(name))) naive.delete(path)
        }
      }
      assert.deepEqual(kept, naive)
      for (const path of kept) assert.ok((graph.get(path) ?? []).every(has))
    }),
  )
})

test('what is well founded can be had one after the other, and is all that can', () => {
  fc.assert(
    fc.property(graphs, graph => {
      // Naive: whatever needs nothing that is not there yet.
      const naive = new Set<string>()
      for (let size = -1; size !== naive.size; ) {
        size = naive.size
        for (const [path, needed] of graph) {
          if (needed.every(name => name === path || naive.has(name) || elsewhere(name))) naive.add(path)
        }
      }
      assert.deepEqual(wellFounded(graph, elsewhere), naive)
    }),
  )
})

test('what is reached is what one comes to from the roots', () => {
  fc.assert(
    fc.property(graphs, fc.array(fc.constantFrom(...'abx')), (graph, roots) => {
      const reached = reach(roots, path => graph.get(path))
      for (const path of reached) {
        const isRoot = roots.includes(path)
        assert.ok(isRoot || [...reached].some(other => graph.get(other)?.includes(path)))
        for (const next of graph.get(path) ?? []) assert.equal(reached.has(next), graph.has(next))
      }
      for (const root of roots) assert.equal(reached.has(root), graph.has(root))
    }),
  )
})

test('thousands of paths in a chain are no trouble', () => {
  const chain = new Map(Array.from({ length: 100_000 }, (_, at) => [`${at}`, [`${at + 1}`]]))
  assert.equal(closeReferences(chain, () => false).size, 0)
  assert.equal(reach(['0'], path => chain.get(path)).size, 100_000)
})
