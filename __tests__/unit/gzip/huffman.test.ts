import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import encoder from '../../../src/gzip/encoder.json' with { type: 'json' }

const { memory, inputAt, outputAt, makeLengths } = new WebAssembly.Instance(
  new WebAssembly.Module(Buffer.from(encoder.wasm, 'base64')),
).exports as {
  readonly memory: { readonly buffer: ArrayBuffer }
  inputAt(): number
  outputAt(): number
  makeLengths(frequencies: number, symbols: number, limit: number, lengths: number): void
}

function lengthsOf(frequencies: readonly number[], limit: number): number[] {
  new Uint32Array(memory.buffer, inputAt()).set(frequencies)
  makeLengths(inputAt(), frequencies.length, limit, outputAt())
  return [...new Uint8Array(memory.buffer, outputAt(), frequencies.length)]
}

/** 1 when every sequence of bits is a sequence of codes, and that in one way only. */
const kraft = (lengths: readonly number[]) =>
  lengths.reduce((sum, length) => sum + (length === 0 ? 0 : 2 ** -length), 0)

const bitsOf = (frequencies: readonly number[], lengths: readonly number[]) =>
  frequencies.reduce((sum, frequency, symbol) => sum + frequency * (lengths[symbol] ?? 0), 0)

/** The bits that Huffman's code takes: the sum of all trees that are joined. */
function fewestBits(frequencies: readonly number[]): number {
  const trees = frequencies.filter(frequency => frequency > 0)
  let bits = 0
  while (trees.length > 1) {
    trees.sort((a, b) => b - a)
    const joined = (trees.pop() ?? 0) + (trees.pop() ?? 0)
    bits += joined
    trees.push(joined)
  }
  return bits
}

const fibonacci = (count: number) => {
  const numbers = [1, 1]
  while (numbers.length < count) numbers.push((numbers.at(-1) ?? 0) + (numbers.at(-2) ?? 0))
  return numbers
}

test('frequencies that grow like those of Fibonacci make the deepest trees: they are cut at the limit', () => {
  // Within the limit it is what Huffman makes: one code of each length, two of the longest.
  assert.deepEqual(lengthsOf(fibonacci(8), 7), [7, 7, 6, 5, 4, 3, 2, 1])
  for (const [limit, most] of [
    [7, 19],
    [14, 32],
    [15, 30],
  ] as const) {
    for (let count = 2; count <= most; count++) {
      const lengths = lengthsOf(fibonacci(count), limit)
      assert.equal(kraft(lengths), 1, `${count} symbols, ${lengths}`)
      assert.equal(Math.max(...lengths), Math.min(limit, count - 1))
    }
  }
})

test('with no symbol or one there is a code of two', () => {
  assert.deepEqual(lengthsOf([0, 0, 0, 0], 15), [1, 1, 0, 0])
  assert.deepEqual(lengthsOf([0, 0, 9, 0], 15), [1, 0, 1, 0])
  assert.deepEqual(lengthsOf([9, 0, 0, 0], 15), [1, 1, 0, 0])
})

const frequency = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 300 }), fc.nat({ max: 2 ** 20 }))

test('codes are complete, not longer than allowed, and no rarer symbol has a shorter one', () => {
  fc.assert(
    fc.property(
      fc.array(frequency, { minLength: 30, maxLength: 286 }),
      fc.integer({ min: 9, max: 15 }),
      (frequencies, limit) => {
        const lengths = lengthsOf(frequencies, limit)
        assert.equal(kraft(lengths), 1)
        assert.ok(Math.max(...lengths) <= limit)
        const used = frequencies.map((one, symbol) => [one, lengths[symbol] ?? 0] as const)
        const known = used.filter(([one]) => one > 0).sort(([a, m], [b, n]) => b - a || m - n)
        assert.ok(known.every(([, length], at) => length > 0 && length >= (known[at - 1]?.[1] ?? 0)))
      },
    ),
  )
})

test('where the limit does not matter no code takes fewer bits', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 300 }), { minLength: 2, maxLength: 40 }), frequencies => {
      fc.pre(frequencies.filter(one => one > 0).length > 1)
      const lengths = lengthsOf(frequencies, 15)
      // Only a depth of 15 may have been cut: with frequencies as small the tree is hardly ever deeper.
      fc.pre(Math.max(...lengths) < 15)
      assert.equal(bitsOf(frequencies, lengths), fewestBits(frequencies))
    }),
  )
})
