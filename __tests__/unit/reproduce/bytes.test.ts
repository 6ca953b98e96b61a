import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { buffered, bytesAt, endedBy, firstDifference, type Range } from '../../../src/reproduce/bytes.ts'
import { sourceOf } from './sample.ts'

/** Larger than what is read at a time. */
const size = 700_000
const position = fc.nat({ max: size - 1 })

test('the first byte that differs is found, wherever it is and whatever is skipped', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(position, { maxLength: 4 }),
      fc.tuple(position, position, position, position),
      fc.constantFrom(0, 1, 300_000),
      async (changed, limits, cut) => {
        const [a = 0, b = 0, c = 0, d = 0] = limits.toSorted((x, y) => x - y)
        const skip: Range[] = [
          { start: a, end: b },
          { start: c, end: d },
        ]
        const first = Buffer.alloc(size, 7)
        const second = Buffer.from(first)
        for (const at of changed) second[at] = 8
        const shorter = second.subarray(0, size - cut)
        const counts = (at: number) => !skip.some(({ start, end }) => start <= at && at < end)
        const seen = changed.filter(at => at < shorter.length && counts(at)).sort((x, y) => x - y)
        const expected = seen[0] ?? (cut > 0 ? shorter.length : undefined)
        const cutSkip = skip.map(({ start, end }) => ({
          start: Math.min(start, shorter.length),
          end: Math.min(end, shorter.length),
        }))
        assert.equal(await firstDifference(sourceOf(first), sourceOf(shorter), cutSkip), expected)
        assert.equal(await firstDifference(sourceOf(shorter), sourceOf(first), cutSkip), expected)
      },
    ),
    { numRuns: 40 },
  )
})

test('what is shown is the line of the difference with its neighbours, as far as the files go', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 200 }),
      fc.nat({ max: 200 }),
      async (one, other, offset) => {
        const bytes = await bytesAt(sourceOf(Buffer.from(one)), sourceOf(Buffer.from(other)), offset)
        assert.ok(bytes.from <= offset && offset - bytes.from < 32 && bytes.from % 16 === 0)
        for (const [hex, all] of [
          [bytes.first, one],
          [bytes.second, other],
        ] as const)
          assert.equal(hex, Buffer.from(all.slice(bytes.from, bytes.from + 48)).toString('hex'))
      },
    ),
  )
})

test('a buffered source gives the same bytes, with fewer reads', async () => {
  const content = Buffer.from(Array.from({ length: size }, (_, at) => (at * 7919) % 251))
  const piece = fc.tuple(position, fc.oneof(fc.nat({ max: 600 }), fc.nat({ max: size })))
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 20 }), async pieces => {
      const source = buffered(sourceOf(content))
      for (const [at, length] of pieces) {
        const end = Math.min(size, at + length)
        assert.ok((await source.read(at, end - at)).equals(content.subarray(at, end)))
      }
    }),
  )
  let reads = 0
  const counted = {
    ...sourceOf(content),
    read: (at: number, length: number) => {
      reads++
      return sourceOf(content).read(at, length)
    },
  }
  const source = buffered(counted)
  for (let at = 0; at + 500 <= size; at += 500) await source.read(at, 500)
  assert.ok(reads < 5, String(reads))
})

test('nothing is read any more after an abort', async () => {
  const controller = new AbortController()
  const source = endedBy(controller.signal, sourceOf('content'))
  assert.equal(String(await source.read(0, 7)), 'content')
  controller.abort(new Error('cancelled'))
  await assert.rejects(source.read(0, 1), /cancelled/)
})
