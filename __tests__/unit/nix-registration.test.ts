import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  closureOf,
  parseRegistration,
  type Registration,
  renderRegistration,
} from '../../src/nix/registration.ts'

const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length })
    .map(letters => letters.join(''))
const path = fc
  .tuple(hex(32), fc.stringMatching(/^[a-z][a-z0-9.+_?=-]{0,9}$/))
  .map(([hash, name]) => `/nix/store/${hash}-${name}`)
const registration: fc.Arbitrary<Registration> = fc.record(
  {
    path,
    narHash: fc.oneof(
      hex(64),
      hex(52).map(hash => `sha256:${hash}`),
    ),
    narSize: fc.nat().map(String),
    deriver: fc.oneof(
      fc.constant(''),
      path.map(name => `${name}.drv`),
    ),
    references: fc.array(path, { maxLength: 3 }),
  },
  { noNullPrototype: true },
)

test('what is written is what is read', () => {
  fc.assert(
    fc.property(fc.array(registration), list =>
      assert.deepEqual(parseRegistration(renderRegistration(list)), list),
    ),
  )
})

test('a registration that is cut off or not one at all is refused', () => {
  const [good] = fc.sample(registration, { numRuns: 1, seed: 7 })
  assert.ok(good)
  const lines = renderRegistration([{ ...good, references: [good.path, good.path] }]).split('\n')
  for (let length = 1; length < lines.length - 1; length++) {
    const cut = `${lines.slice(0, length).join('\n')}\n`
    assert.throws(() => parseRegistration(cut), /no registration at line 1/, cut)
  }
  for (const [at, bad] of [
    [0, '/etc/passwd'],
    [0, `${good.path}/../../x`],
    [1, 'x'],
    [2, '-1'],
    [4, '99999999999'],
    [5, 'x'],
  ] as const) {
    assert.throws(() => parseRegistration(lines.with(at, bad).join('\n')), /no registration/, bad)
  }
  assert.deepEqual(parseRegistration(''), [])
})

test('a closure is what the roots reach, and no more', () => {
  const nodes = 12
  const graph = fc.array(fc.array(fc.nat(nodes - 1), { maxLength: 3 }), {
    minLength: nodes,
    maxLength: nodes,
  })
  const name = (n: number) => `/nix/store/${String(n).padStart(32, '0')}-n`
  fc.assert(
    fc.property(graph, fc.array(fc.nat(nodes - 1), { minLength: 1, maxLength: 2 }), (edges, roots) => {
      const all = edges.map((references, n) => ({
        ...{ path: name(n), narHash: '', narSize: '0', deriver: '' },
        references: references.map(name),
      }))
      const reached = new Set(roots)
      for (let step = 0; step < nodes; step++)
        for (const n of [...reached]) for (const next of edges[n] ?? []) reached.add(next)
      const expected = all.filter((_, n) => reached.has(n))
      assert.deepEqual(closureOf(all, roots.map(name)), expected)
    }),
  )
  assert.throws(() => closureOf([], [name(1)]), /is not registered/)
})
