import assert from 'node:assert/strict'
import { closeSync, openSync, readSync } from 'node:fs'
import { test } from 'node:test'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { chunkSize, createDeflater, windowSize } from '../../../src/gzip/deflater.ts'
import { inputs, noise } from './samples.ts'

const deflate = createDeflater()
const levels = [1, 2, 3, 4, 5, 6, 7, 8, 9]

/** As a stream of one chunk. */
const whole = (bytes: Uint8Array, level = 6) => deflate({ bytes, before: 0, level, final: true })

/** A piece of the program that runs this. */
function program(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  const file = openSync(process.execPath, 'r')
  readSync(file, bytes, 0, size, 32 * 1024 ** 2)
  closeSync(file)
  return bytes
}

/** Unpacks and demands that the stream ends where the bytes end. */
function unpack(bytes: Uint8Array, dictionary?: Uint8Array): Buffer {
  const { buffer, engine } = inflateRawSync(bytes, {
    info: true,
    maxOutputLength: 64 * 1024 ** 2,
    ...(dictionary === undefined || dictionary.length === 0 ? {} : { dictionary }),
  }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
  assert.equal(engine.bytesWritten, bytes.length, 'the stream ends with its bytes')
  return buffer
}

test('what is compressed is what is unpacked, whatever it is, at all levels', () => {
  fc.assert(
    fc.property(inputs, fc.constantFrom(...levels), (bytes, level) => {
      assert.ok(unpack(whole(bytes, level)).equals(bytes))
    }),
    { numRuns: 150 },
  )
})

test('so is a chunk behind others, of which it knows the last 32 KiB', () => {
  fc.assert(
    fc.property(inputs, fc.nat(), fc.constantFrom(...levels), (bytes, cut, level) => {
      const at = cut % (bytes.length + 1)
      const before = Math.min(at, windowSize)
      const first = deflate({ bytes: bytes.subarray(0, at), before: 0, level, final: false })
      const second = deflate({ bytes: bytes.subarray(at - before), before, level, final: true })
      assert.ok(unpack(Buffer.concat([first, second])).equals(bytes))
      assert.ok(unpack(second, bytes.subarray(at - before, at)).equals(bytes.subarray(at)))
    }),
    { numRuns: 100 },
  )
})

test('sizes at which something changes', () => {
  const one = (size: number) => [size - 1, size, size + 1]
  const sizes = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    ...[258, 4096, 16_384, windowSize, 65_535].flatMap(one),
    chunkSize,
  ]
  for (const size of sizes) {
    for (const level of [1, 6, 9]) {
      const samples = [
        Buffer.alloc(size),
        noise(size, size),
        Buffer.from('abcde'.repeat(size / 5 + 1)).subarray(0, size),
      ]
      for (const bytes of samples) assert.ok(unpack(whole(bytes, level)).equals(bytes), `${size} at ${level}`)
    }
  }
})

test('what was compressed before changes nothing', () => {
  // Level 4 remembers more than level 1, so that would find more with what the other left: places below 64 KiB.
  const bytes = program(60_000)
  const alone = createDeflater()({ bytes, before: 0, level: 1, final: true })
  whole(bytes, 4)
  assert.ok(Buffer.from(whole(bytes, 1)).equals(alone))
  whole(noise(300_000, 2), 9)
  assert.ok(Buffer.from(whole(bytes, 1)).equals(alone))
})

test('noise is stored: 5 bytes for 64 KiB', () => {
  for (const level of [1, 6, 9]) {
    const { length } = whole(noise(chunkSize, 3), level)
    assert.ok(length <= chunkSize + 5 * (chunkSize / 65_535 + 1), `${length} at ${level}`)
  }
})

test('matches are as long and as far as DEFLATE has them', () => {
  // The longest match, 258, takes two bits.
  assert.ok(whole(Buffer.alloc(chunkSize)).length < 1200)
  // Noise is only found again at the very end of the window.
  const bytes = Buffer.concat([noise(windowSize, 4), noise(windowSize, 4)])
  assert.ok(whole(bytes).length < windowSize + 450)
  const farther = Buffer.concat([noise(windowSize + 1, 4), noise(windowSize + 1, 4)])
  assert.ok(whole(farther).length > 2 * windowSize)
  // So it is in what comes before the chunk.
  const known = deflate({ bytes, before: windowSize, level: 6, final: true })
  assert.ok(known.length < 300)
  assert.ok(unpack(known, bytes.subarray(0, windowSize)).equals(bytes.subarray(windowSize)))
})

test('blocks end where the contents change', () => {
  const text = Buffer.from(noise(100_000, 5).toString('hex'))
  const parts = [text, noise(200_000, 6), Buffer.from(noise(200_000, 7).map(byte => byte & 3))]
  const together = whole(Buffer.concat(parts)).length
  const apart = parts.reduce((sum, part) => sum + whole(part).length, 0)
  assert.ok(together < apart * 1.01, `${together} together, ${apart} apart`)
})

test('programs get as small as with zlib, which takes longer', () => {
  const bytes = program(chunkSize)
  const zlib = (level: number) => deflateRawSync(bytes, { level, memLevel: 9 }).length
  const sizes = levels.map(level => whole(bytes, level).length)
  const [fast = 0, , , usual = 0, , , best = 0] = sizes
  assert.ok(fast < zlib(1) && usual < zlib(3) && best < zlib(4), `${sizes}`)
  assert.deepEqual(sizes, [fast, fast, fast, usual, usual, usual, best, best, best])
  assert.ok(fast > usual && usual > best)
})

test('chunks of other sizes are refused', () => {
  const chunk = { before: 0, level: 6, final: true }
  assert.throws(() => deflate({ ...chunk, bytes: Buffer.alloc(chunkSize + 1) }), RangeError)
  assert.throws(
    () => deflate({ ...chunk, bytes: Buffer.alloc(windowSize + 1), before: windowSize + 1 }),
    RangeError,
  )
  assert.throws(() => deflate({ ...chunk, bytes: Buffer.alloc(1), before: 2 }), RangeError)
})
