import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeHistory } from '../../script/benchmarks/history.ts'
import { hitRate, hitRateTable } from '../../script/benchmarks/hit-rate.ts'

test('a history has commits and branches, and the same seed gives the same one', () => {
  const options = { seed: 7, commits: 30, libraries: 20 }
  const history = makeHistory(options)
  assert.equal(history.length, 30)
  assert.ok(new Set(history.map(({ branch }) => branch)).size > 1)
  assert.ok(history.every(({ at }, number) => number === 0 || at > (history[number - 1]?.at ?? 0)))
  const names = (runs: typeof history) => runs.map(({ wanted }) => wanted.map(({ name }) => name))
  assert.deepEqual(names(makeHistory(options)), names(history))
  assert.notDeepEqual(names(makeHistory({ ...options, seed: 8 })), names(history))
})

test('policies are held against each other over the same history, and ours causes less rebuilding than gc', () => {
  const results = hitRate({ seeds: [1, 2], bounds: [0.4], commits: 40, libraries: 40 })
  const caused = (name: string) =>
    results.reduce(
      (sum, { policies }) => sum + (policies.find(({ policy }) => policy === name)?.caused ?? Number.NaN),
      0,
    )
  assert.equal(caused('unbounded'), 0)
  assert.ok(caused('ours') < caused('nix store gc --max'))
  assert.ok(caused('nix store gc --max') < caused('no cache'))
  for (const { limit, total, policies } of results) {
    assert.equal(limit, Math.floor(total * 0.4))
    for (const { caused: seconds } of policies) assert.ok(seconds >= 0)
  }
  const lines = hitRateTable(results).split('\n')
  assert.equal(lines.length, 2 + (results[0]?.policies.length ?? 0))
  assert.equal(new Set(lines.map(line => line.split('|').length)).size, 1)
})
