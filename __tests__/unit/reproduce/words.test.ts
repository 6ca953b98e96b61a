import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BuiltAgain, Difference, Kind, Reproduction } from '../../../src/reproduce/model.ts'
import { differenceTable, reproducible } from '../../../src/reproduce/summary.ts'
import { dump, failureOf, kinds } from '../../../src/reproduce/words.ts'

const output = { path: '/nix/store/x-app', narHash: 'sha256-abc=', narSize: 1000 }

function built(more: Partial<BuiltAgain> = {}): BuiltAgain {
  const nothing = { differences: [], more: false, seconds: 1, outputs: [output] }
  return { name: 'app', drvPath: '/nix/store/x-app.drv', verdict: 'same', ...nothing, ...more }
}

function reproduction(...derivations: readonly BuiltAgain[]): Reproduction {
  return { verdict: 'same', derivations, fixed: 2, signed: 30 }
}

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom('::error::x', 'a\n::error::x', 'a##[error]b', 'a|b`c`', '\r::x'),
)
const bytes = fc.record({
  offset: fc.nat(),
  from: fc.nat(),
  first: fc.uint8Array({ maxLength: 48 }).map(some => Buffer.from(some).toString('hex')),
  second: fc.uint8Array({ maxLength: 48 }).map(some => Buffer.from(some).toString('hex')),
})
const difference: fc.Arbitrary<Difference> = fc
  .record({
    where: text,
    kind: fc.constantFrom(...(Object.keys(kinds) as Kind[])),
    bytes: fc.option(bytes, { nil: undefined }),
  })
  .map(({ where, kind, bytes }) => ({ where, kind, ...(bytes === undefined ? {} : { bytes }) }))

test('one line that says whether it is the same', () => {
  assert.equal(
    reproducible(reproduction(built(), built({ name: 'lib' }))),
    '2 derivations built twice, all the same; NAR of the image <code>sha256-abc=</code>; not built again: 30 paths signed by binary caches, 2 paths with a fixed hash',
  )
  assert.match(
    reproducible(reproduction(built({ verdict: 'different' }), built({ verdict: 'failed' }), built())),
    /^\*\*no\*\*: 3 derivations built twice, 2 not the same; not built again/,
  )
  assert.match(
    reproducible(reproduction(built(), built({ name: 'far', verdict: 'skipped' }))),
    /^1 derivation built twice, all the same; \*\*not built again here\*\*: <code>far<\/code>/,
  )
})

test('where nothing could be built again it is not said that all was the same', () => {
  const line = reproducible(reproduction(built({ verdict: 'skipped' }), built({ verdict: 'skipped' })))
  assert.match(
    line,
    /^\*\*not built again here\*\*: <code>app<\/code>, <code>app<\/code>; not built again: 30/,
  )
})

test('nothing fails where all is the same, or could not be built', () => {
  assert.equal(failureOf(reproduction(built(), built({ verdict: 'skipped' })), true), undefined)
  assert.equal(differenceTable(reproduction(built())), '')
  assert.equal(differenceTable(undefined), '')
})

test('each kind of difference has its advice, once', () => {
  for (const kind of Object.keys(kinds) as Kind[]) {
    const one = built({
      verdict: 'different',
      differences: [
        { where: 'a', kind },
        { where: 'b', kind },
      ],
    })
    const error = failureOf(reproduction(one, one), true)
    assert.match(error?.message ?? '', /built a second time, 2 of 2 derivations did not/)
    assert.ok(error?.message.includes(`a: ${kinds[kind]}`))
    const advice = error?.advice?.toLowerCase() ?? ''
    assert.equal(advice.split(`${kinds[kind]}: `).length, 2, advice)
  }
})

test('what else there is to know: no sandbox, nothing kept, a second build that failed', () => {
  const advice = (one: BuiltAgain, sandbox = true) => failureOf(reproduction(one), sandbox)?.advice ?? ''
  const again = { narHash: 'sha256-xyz=', narSize: 1000 }
  const seen = built({
    ...{ verdict: 'different', outputs: [{ ...output, again }] },
    differences: [{ where: 'a', kind: 'path' }],
  })
  assert.match(advice(seen, false), /There was no sandbox/)
  assert.doesNotMatch(advice(seen), /sandbox|trusted-users/)
  assert.match(advice(built({ verdict: 'different' })), /trusted-users/)
  const unexplained = built({ verdict: 'different', outputs: [{ ...output, again }] })
  assert.match(advice(unexplained), /^Where nothing is said of what differs, .*`diffoscope`/)
  const failed = built({ verdict: 'failed', why: 'app failed to build: exit code 3', log: 'the end' })
  assert.match(advice(failed), /depends on something else/)
  const error = failureOf(reproduction(failed), true)
  assert.match(error?.message ?? '', /app: app failed to build: exit code 3/)
  assert.equal(error?.detail, 'the end')
})

test('whatever files are called, no line is a command and the table keeps its form', () => {
  fc.assert(
    fc.property(text, fc.array(difference, { maxLength: 30 }), (name, differences) => {
      const found = reproduction(built({ name, verdict: 'different', differences, more: true }))
      const { message = '', detail = '' } = failureOf(found, true) ?? {}
      for (const line of `${message}\n${detail}`.split(/\r\n?|\n/)) assert.doesNotMatch(line, /^\s*::|##\[/)
      const lines = differenceTable(found).split('\n')
      assert.ok(lines.length <= 18)
      if (differences.length === 0) return assert.deepEqual(lines, [''])
      for (const line of lines) assert.equal(line.replace(/\\\|/g, '').split('|').length, 7, line)
    }),
  )
})

test('a line of a hex dump', () => {
  const at = { offset: 20, from: 16, first: '2f62ff', second: '' }
  assert.equal(dump(at, at.first), '0x10  2f 62 ff  |/b.|')
  assert.equal(dump(at, at.second), '0x10  (the file has ended)')
})
