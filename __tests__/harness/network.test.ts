import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { Pace, startNetwork } from './network.ts'

const link = { roundTrip: 4, connection: 50e6, total: 100e6 }

test('what goes over a link comes as it went, both ways, on connections that are used again', async () => {
  const server = createServer((request, response) => request.pipe(response))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  await using network = await startNetwork((server.address() as AddressInfo).port, link)
  const bodies = Array.from({ length: 8 }, (_, at) => Buffer.alloc(at * 200_001, `${at} and more`))
  const echo = async (body: Buffer) => {
    const response = await fetch(`http://127.0.0.1:${network.port}`, {
      method: 'POST',
      body: new Uint8Array(body),
    })
    return Buffer.from(await response.arrayBuffer())
  }
  for (const round of [1, 2]) {
    const echoes = await Promise.all(bodies.map(echo))
    bodies.forEach((body, at) => {
      assert.ok(body.equals(echoes[at] ?? Buffer.alloc(0)), `round ${round}, body ${at}`)
    })
  }
  server.closeAllConnections()
  await new Promise(done => server.close(done))
})

test('a server that breaks a connection breaks it for the client', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 1000 })
    response.write('half')
    setImmediate(() => response.socket?.resetAndDestroy())
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  await using network = await startNetwork((server.address() as AddressInfo).port, link)
  await assert.rejects(async () => (await fetch(`http://127.0.0.1:${network.port}`)).text())
  await new Promise(done => server.close(done))
})

test('a pace is never exceeded, and never wasted while something waits', () => {
  const sends = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 1e6 }), after: fc.integer({ min: 0, max: 100 }) }),
    {
      minLength: 1,
      maxLength: 30,
    },
  )
  fc.assert(
    fc.property(sends, fc.integer({ min: 1000, max: 1e8 }), (list, rate) => {
      const pace = new Pace(rate)
      let [now, left] = [0, 0]
      for (const { bytes, after } of list) {
        now += after
        const leaves = pace.take(bytes, now)
        const expected = Math.max(left, now) + (bytes * 1000) / rate
        assert.ok(Math.abs(leaves - expected) <= 1e-6 * expected)
        left = leaves
      }
    }),
  )
})
