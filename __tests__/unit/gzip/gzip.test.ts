import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { gunzipSync, inflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { chunkSize } from '../../../src/gzip/deflater.ts'
import { gzip } from '../../../src/gzip/gzip.ts'
import { type DeflatePool, deflatePool } from '../../../src/gzip/pool.ts'
import { type DeflateThreads, startDeflateThreads } from '../../../src/gzip/threads.ts'
import { inputs, noise } from './samples.ts'

const worker = join(import.meta.dirname, '../../../src/deflate-thread.ts')

/** No thread fails but in the test of that. */
const start = (count: number) =>
  startDeflateThreads({
    worker,
    threads: count,
    onError(error) {
      throw error
    },
  })

/** Writes the input in pieces. */
async function compress(pool: DeflatePool, input: Buffer, level = 6, piece = 300_000): Promise<Buffer> {
  const output: Uint8Array[] = []
  const file = gzip(pool, { level, onChunk: bytes => void output.push(bytes.slice()) })
  for (let at = 0; at < input.length; at += piece) await file.write(input.subarray(at, at + piece))
  await file.end()
  return Buffer.concat(output)
}

/** Text, noise and zeros, a little more than so many chunks. */
const long = (chunks: number) =>
  Buffer.concat(
    Array.from({ length: chunks * 2 + 1 }, (_, at) => [
      Buffer.from(noise(chunkSize / 8, at).toString('hex')),
      noise(chunkSize / 8, at + 100),
      Buffer.alloc(chunkSize / 8),
    ]).flat(),
  )

suite('gzip on several threads', () => {
  let threads: DeflateThreads
  let pool: DeflatePool
  before(() => {
    threads = start(3)
    pool = deflatePool(threads.connect())
  })
  after(async () => {
    pool.close()
    await threads.close()
  })

  test('is one member that says no time, no name and no system', async () => {
    for (const size of [0, 1, chunkSize, chunkSize + 1, 2 * chunkSize, 5_000_000]) {
      const input = noise(size, 1)
      const output = await compress(pool, input)
      assert.equal(output.toString('hex', 0, 10), '1f8b08000000000000ff')
      assert.equal(output.readUInt32LE(output.length - 4), size)
      assert.ok(gunzipSync(output).equals(input), `${size}`)
      // The stream ends where its checksum begins: readers that know one member only get everything.
      const { engine } = inflateRawSync(output.subarray(10), { info: true }) as unknown as {
        engine: { bytesWritten: number }
      }
      assert.equal(10 + engine.bytesWritten + 8, output.length)
    }
  })

  test('finds in a chunk what was at the end of the one before', async () => {
    const window = noise(32 * 1024, 1)
    const input = Buffer.concat(Array.from({ length: 100 }, () => window))
    const output = await compress(pool, input)
    assert.ok(gunzipSync(output).equals(input))
    // Two bytes for each match, and 32 KiB once rather than for each chunk.
    assert.ok(output.length < 2 * window.length, `${output.length}`)
  })

  test('gives the same bytes on any number of threads and for any pieces', async () => {
    const input = long(4)
    const expected = await compress(pool, input)
    assert.ok(gunzipSync(expected).equals(input))
    for (const piece of [1000, chunkSize, input.length])
      assert.ok((await compress(pool, input, 6, piece)).equals(expected), `pieces of ${piece}`)
    const one = start(1)
    const alone = deflatePool(one.connect())
    try {
      assert.ok((await compress(alone, input)).equals(expected))
    } finally {
      alone.close()
      await one.close()
    }
  })

  test('many files at a time', async () => {
    const samples = await fc.sample(inputs, { numRuns: 12, seed: 1 })
    const all = [...samples, ...[1, 2, 3].map(long)]
    const outputs = await Promise.all(all.map((input, at) => compress(pool, input, 1 + (at % 9))))
    for (const [at, output] of outputs.entries()) assert.ok(gunzipSync(output).equals(all[at] ?? Buffer.of()))
  })

  test('GNU gzip reads it', async () => {
    const output = await compress(pool, long(3))
    const unpacked = execFileSync('gzip', ['-dc'], { input: output, maxBuffer: 64 * 1024 ** 2 })
    assert.ok(unpacked.equals(long(3)))
  })

  test('who takes the bytes is waited for, and is given them one after another', async () => {
    let taking = 0
    const seen: number[] = []
    const given: Uint8Array[] = []
    const gate = Promise.withResolvers<void>()
    const file = gzip(pool, {
      level: 1,
      async onChunk(bytes) {
        assert.equal(++taking, 1)
        seen.push(bytes.length)
        given.push(bytes)
        if (seen.length === 2) await gate.promise
        taking--
      },
    })
    const input = long(10)
    let written = 0
    const writing = (async () => {
      for (; written < input.length; written += chunkSize)
        await file.write(input.subarray(written, written + chunkSize))
      await file.end()
    })()
    // What the others make meanwhile ends where there is no room: another file gets no turn either.
    const other = compress(pool, long(1))
    const first = await Promise.race([other.then(() => 'other'), setImmediate()])
    assert.equal(first, undefined)
    assert.ok(written <= 8 * chunkSize, `${written}`)
    gate.resolve()
    await writing
    assert.ok(gunzipSync(await other).equals(long(1)))
    assert.ok(seen.length > 10)
    assert.ok(
      given.slice(1, -1).every(({ length }) => length === 0),
      'the memory of each chunk is free',
    )
  })

  test('what its taker throws comes out where it is written, and the pool goes on', async () => {
    for (const bad of [0, 1, 3]) {
      let calls = 0
      const failing = (async () => {
        const file = gzip(pool, {
          level: 6,
          onChunk: async () => {
            if (calls++ === bad) throw new Error('no room on the disk')
          },
        })
        for (let written = 0; written < 30; written++) {
          await file.write(Buffer.alloc(chunkSize))
          await setImmediate()
        }
        await file.end()
      })()
      await assert.rejects(failing, /no room on the disk/)
    }
    assert.ok(gunzipSync(await compress(pool, long(8))).equals(long(8)))
  })
})

test('when the pool is closed what waits fails, and the threads serve others', async () => {
  const threads = start(2)
  const [one, other] = [deflatePool(threads.connect()), deflatePool(threads.connect())]
  const waiting = compress(one, long(10))
  one.close()
  await assert.rejects(waiting, /closed/)
  await assert.rejects(one.room(), /closed/)
  assert.ok(gunzipSync(await compress(other, long(2))).equals(long(2)))
  other.close()
  await threads.close()
})

test('when the threads are ended what waits fails', async () => {
  const threads = start(2)
  const pool = deflatePool(threads.connect())
  const waiting = assert.rejects(compress(pool, long(20)), /a thread that compresses has ended/)
  await threads.close()
  await waiting
})

test('a thread that fails is noticed, and does not end the process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gzip-'))
  try {
    const broken = join(folder, 'broken.mjs')
    writeFileSync(broken, `throw new Error('cannot start')`)
    const errors: Error[] = []
    const threads = startDeflateThreads({
      ...{ worker: broken, threads: 1 },
      onError: error => void errors.push(error),
    })
    const pool = deflatePool(threads.connect())
    await assert.rejects(compress(pool, long(4)), /a thread that compresses has ended/)
    await threads.close()
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['cannot start'],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
