import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseDuration, retrier, retryAfter } from '../../src/registry/retry.ts'
import { type Response, TimeoutError } from '../../src/registry/transport.ts'
import { silent } from '../../src/util/log.ts'

const now = Date.parse('2026-01-01T00:00:00Z')

function answer(status: number, headers: Record<string, string> = {}, body = ''): Response {
  return { status, headers, body: Buffer.from(body), url: new URL('https://registry.example/v2/') }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}

test('the wait is read from the header or from the body', () => {
  const wait = (headers: Record<string, string>, body = '') => retryAfter(answer(429, headers, body), now)
  assert.equal(wait({ 'retry-after': '7' }), 7000)
  assert.equal(wait({ 'retry-after': '0' }), 0)
  assert.equal(wait({ 'retry-after': '10.3ms' }), 11)
  assert.equal(wait({ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }), 30_000)
  assert.equal(wait({ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }), 0)
  assert.equal(wait({ 'retry-after': 'soon' }), undefined)
  const said = (text: string) =>
    wait({}, JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: text }] }))
  assert.equal(said('retry-after: 10.305464ms, allowed: 2000/minute'), 11)
  assert.equal(said('retry-after: 985.86µs, allowed: 44000/minute'), 1)
  assert.equal(said('retry-after: 1m2.5s, allowed: 2000/minute'), 62_500)
  assert.equal(said('too fast'), undefined)
})

test('durations are read as Go prints them', () => {
  const parts = fc.tuple(fc.nat(99), fc.nat(59), fc.integer({ min: 0, max: 59_999 }))
  fc.assert(
    fc.property(parts, ([hours, minutes, milliseconds]) => {
      assert.equal(
        parseDuration(`${hours}h${minutes}m${milliseconds / 1000}s`),
        Math.ceil(hours * 3_600_000 + minutes * 60_000 + (milliseconds / 1000) * 1000),
      )
    }),
  )
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9.hmsunµ]{0,12}$/))
  fc.assert(
    fc.property(text, said => {
      for (const found of [parseDuration(said), retryAfter(answer(429, { 'retry-after': said }, said), now)])
        assert.ok(found === undefined || (Number.isFinite(found) && found >= 0), `${found}`)
    }),
  )
})

/** Runs attempts that end in these ways, one after the other, the last one for ever. */
async function attempts(...ways: readonly (Response | Error)[]) {
  const waits: number[] = []
  let done = 0
  const sleep = async (milliseconds: number) => void waits.push(milliseconds)
  const result = await retrier({ of: 'It', sleep, now: () => now, log: silent })(async () => {
    const way = ways[Math.min(done++, ways.length - 1)]
    if (way instanceof Error) throw way
    if (way === undefined) throw new Error('no way')
    return way
  }).catch(error => error as Error)
  return { result, done, waits }
}

test('what passes is repeated, with growing waits and a bound', async () => {
  const ok = answer(200)
  const waits = [500, 1000, 2000, 4000, 8000]
  for (const way of [answer(500), answer(502), answer(503), answer(504), answer(408), answer(429)]) {
    assert.deepEqual(await attempts(way, way, ok), { result: ok, done: 3, waits: [500, 1000] })
    assert.deepEqual(await attempts(way), { result: way, done: 6, waits })
  }
  for (const code of ['ECONNRESET', 'ECONNREFUSED', 'EPIPE', 'EAI_AGAIN']) {
    const way = failure(code)
    assert.deepEqual(await attempts(way, ok), { result: ok, done: 2, waits: [500] })
    assert.deepEqual(await attempts(way), { result: way, done: 6, waits })
  }
})

test('a registry that is silent is waited for twice', async () => {
  const silence = new TimeoutError(60_000)
  assert.deepEqual(await attempts(silence), { result: silence, done: 2, waits: [500] })
})

test('what does not pass is not repeated', async () => {
  for (const way of [answer(200), answer(400), answer(401), answer(403), answer(404), answer(501)])
    assert.deepEqual(await attempts(way), { result: way, done: 1, waits: [] })
  for (const way of [failure('ENOTFOUND'), failure('DEPTH_ZERO_SELF_SIGNED_CERT'), new Error('a defect')])
    assert.deepEqual(await attempts(way), { result: way, done: 1, waits: [] })
})

test('the registry may ask for a longer wait, within reason', async () => {
  const ok = answer(200)
  assert.deepEqual((await attempts(answer(429, { 'retry-after': '30' }), ok)).waits, [30_000])
  assert.deepEqual((await attempts(answer(429, { 'retry-after': '0' }), ok)).waits, [500])
  const secondary = answer(403, {}, 'You have exceeded a secondary rate limit.')
  assert.deepEqual((await attempts(secondary, ok)).waits, [60_000])
  const tomorrow = answer(429, { 'retry-after': '86400' })
  assert.deepEqual(await attempts(tomorrow, ok), { result: tomorrow, done: 1, waits: [] })
})
