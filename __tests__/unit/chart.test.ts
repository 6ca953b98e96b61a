import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { shares, timeline } from '../../src/summary/chart.ts'

test('a bar begins and ends where its phase does, to half a column', () => {
  const phases = [
    { name: 'second', start: 1, seconds: 1 },
    { name: 'first', start: 0, seconds: 1 },
    { name: 'odd', start: 1 / 128, seconds: 2 / 128 },
    { name: 'short', start: 1.97, seconds: 0.01 },
    { name: 'short', start: 1.99, seconds: 0.01, failed: true },
    { name: 'stopped', start: 1, seconds: 0.01, failed: true },
  ] as const
  assert.equal(
    timeline(phases, 2, 'short'),
    [
      `first   1.0 s  ${'█'.repeat(32)}`,
      `second  1.0 s  ${' '.repeat(32)}${'█'.repeat(32)}`,
      `short   0.0 s  ${' '.repeat(63)}▐ failed`,
    ].join('\n'),
  )
  assert.equal(timeline([{ name: 'odd', start: 1, seconds: 2 }], 128), 'odd  2.0 s  ▐▌')
  assert.equal(timeline([{ name: 'none', start: 0, seconds: 0.01 }], 5), '')
})

/** In halves of a column. */
function bounds(line: string): readonly [number, number] {
  const bar = line.slice(line.indexOf(' s  ') + 4)
  const drawn = bar.trimStart()
  const start = (bar.length - drawn.length) * 2
  return [start + (drawn.startsWith('▐') ? 1 : 0), start + drawn.length * 2 - (drawn.endsWith('▌') ? 1 : 0)]
}

test('bars stay in the chart, and none is more than half a column off', () => {
  const moment = fc.double({ min: 0, max: 59, noNaN: true })
  fc.assert(
    fc.property(
      fc.array(fc.tuple(moment, fc.double({ min: 0.06, max: 59, noNaN: true })), { minLength: 1 }),
      list => {
        const phases = list
          .map(([start, seconds]) => ({ name: 'a', start, seconds }))
          .toSorted((a, b) => a.start - b.start)
        const whole = Math.max(...phases.map(({ start, seconds }) => start + seconds))
        const lines = timeline(phases, whole).split('\n')
        assert.equal(lines.length, phases.length)
        for (const [index, line] of lines.entries()) {
          const { start = 0, seconds = 0 } = phases[index] ?? {}
          const [from, to] = bounds(line)
          assert.match(line, /^a +\d+(\.\d)? s {2} *▐?█*▌?$/)
          assert.ok(from >= 0 && to <= 128 && from < to, line)
          assert.ok(Math.abs(from - (start / whole) * 128) <= 1, line)
          assert.ok(Math.abs(to - ((start + seconds) / whole) * 128) <= 1, line)
        }
      },
    ),
  )
})

test('shares are as long as they are large, and what there is a little of is seen', () => {
  assert.equal(shares([50, 25], 100), `${'█'.repeat(10)}${'▒'.repeat(5)}${'░'.repeat(5)}`)
  assert.equal(shares([1, 0], 1000), `█${'░'.repeat(19)}`)
  assert.equal(shares([0, 1], 1000), `▒${'░'.repeat(19)}`)
  assert.equal(shares([300], 100), '█'.repeat(20), 'more than the whole')
  assert.equal(shares([0], 0), '')
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.integer({ min: 1 }), (one, two, whole) => {
      assert.match(shares([one, two], whole), /^(?=.{20}$)█*▒*░*$/)
    }),
  )
})
