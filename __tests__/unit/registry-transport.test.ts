import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { httpSender, nextPage, resolveLocation } from '../../src/registry/transport.ts'

/** A server on a free port that does this with every request. */
async function serve(work: (server: http.Server) => void) {
  const server = http.createServer()
  work(server)
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

test('a proxy of the environment is asked for hosts elsewhere, and only for them', async () => {
  const asked: string[] = []
  await using proxy = await serve(server =>
    server.on('connect', (request, socket) => {
      asked.push(request.url ?? '')
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    }),
  )
  await using local = await serve(server => server.on('request', (_, answer) => answer.end('here')))
  const env = { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url, NO_PROXY: 'direct.invalid' }
  const send = httpSender(env)
  const get = (url: string) => send({ method: 'GET', url: new URL(url) })

  await assert.rejects(get('https://registry.invalid/v2/'), { code: 'ERR_PROXY_TUNNEL' })
  assert.deepEqual(asked, ['registry.invalid:443'])
  await assert.rejects(get('https://direct.invalid/v2/'), { code: /ENOTFOUND|EAI_AGAIN/ })
  assert.equal((await get(`${local.url}/v2/`)).body.toString(), 'here')
  assert.deepEqual(asked, ['registry.invalid:443'])
})

test('bodies are sent with their length, and must have it', async () => {
  const headers: http.IncomingHttpHeaders[] = []
  await using local = await serve(server =>
    server.on('request', (request, answer) => {
      headers.push(request.headers)
      request.resume().on('end', () => answer.end())
    }),
  )
  const send = httpSender({})
  const put = (size: number, ...chunks: string[]) =>
    send({
      method: 'PUT',
      url: new URL(local.url),
      body: { size, open: () => Readable.from(chunks.map(chunk => Buffer.from(chunk))) },
    })
  assert.equal((await put(6, 'abc', 'def')).status, 200)
  assert.equal(headers[0]?.['content-length'], '6')
  assert.equal(headers[0]?.['transfer-encoding'], undefined)
  await assert.rejects(put(7, 'abc', 'def'), /another length/)
  await assert.rejects(put(5, 'abc', 'def'), /another length/)
  await send({ method: 'POST', url: new URL(local.url) })
  assert.equal(headers.at(-1)?.['content-length'], '0')
})

test('what a registry refuses is not sent to the end', { timeout: 20_000 }, async () => {
  await using local = await serve(server => {
    // The server leaves the connection open: it is for the client to end it.
    server.keepAliveTimeout = 0
    server.on('request', (_, answer) => answer.writeHead(413).end('too large'))
  })
  const size = 200 * 1024 ** 2
  let read = 0
  function* zeros() {
    for (; read < size; read += 65536) yield Buffer.alloc(65536)
  }
  const stream = Readable.from(zeros())
  const closed = new Promise(resolve => stream.once('close', resolve))
  const body = { size, open: () => stream }
  const { status, body: said } = await httpSender({})({ method: 'PUT', url: new URL(local.url), body })
  assert.deepEqual([status, said.toString()], [413, 'too large'])
  await closed
  assert.ok(read < size)
})

test('an answer without an end is not read to its end', async () => {
  await using local = await serve(server =>
    server.on('request', (_, answer) => {
      const more = () => {
        while (!answer.destroyed && answer.write(Buffer.alloc(65536)));
      }
      answer.on('drain', more)
      more()
    }),
  )
  await assert.rejects(httpSender({})({ method: 'GET', url: new URL(local.url) }), /larger than/)
})

test('a Location leads nowhere that is less safe', () => {
  const secure = new URL('https://ghcr.io/v2/o/a/blobs/uploads/')
  const at = (location: string, base = secure) => resolveLocation(location, base)?.href
  assert.equal(at('/v2/x?_state=a%2Bb'), 'https://ghcr.io/v2/x?_state=a%2Bb')
  assert.equal(at('https://storage.example/x?sig=%7e+'), 'https://storage.example/x?sig=%7e+')
  assert.equal(at('//storage.example/x'), 'https://storage.example/x')
  for (const refused of [
    'http://ghcr.io/x',
    'ftp://ghcr.io/x',
    'https://a:b@ghcr.io/',
    'http://',
    'file:///etc/passwd',
  ])
    assert.equal(at(refused), undefined, refused)
  assert.equal(at('http://127.0.0.1/x', new URL('http://localhost/')), 'http://127.0.0.1/x')
})

test('where a list goes on is read from its Link, whatever else that says', () => {
  const url = new URL('https://registry.example/v2/o/app/referrers/sha256:0')
  const after = (link: string) =>
    nextPage({ status: 200, headers: { link }, body: Buffer.alloc(0), url })?.href
  const next = 'https://registry.example/v2/o/app/more?n=2'
  for (const link of [
    '</v2/o/app/more?n=2>; rel="next"',
    '</v2/o/app/more?n=2>;rel=next',
    '<../more?n=2>; title=x; rel="next"',
    '<https://registry.example/>; rel="prev", </v2/o/app/more?n=2>; rel="next"',
    `<${next}> ; REL = "next"; type="a/b"`,
    '</v2/o/app/more?n=2>; title="a, b; \\"c\\" <d>"; rel="next"',
    '</v2/o/app/more?n=2>; rel="first next"',
    '</v2/o/app/more?n=2>; crossorigin; rel=Next',
    '</x>; rel="prev"; title="; rel=next", </v2/o/app/more?n=2>; rel="next"',
  ])
    assert.equal(after(link), next, link)
  for (const link of [
    '',
    '</x>; rel="prev"',
    '</x>',
    '<http://registry.example/x>; rel="next"',
    'rel="next"',
    '</x>; rel="next-archive"',
    '</x>; rel=nextmost',
    '</x>; title="; rel=next"',
    '</x>; rel="prev"; rel="next"',
    '</x>; anchor="a" rel="next"',
  ])
    assert.equal(after(link), undefined, link)
  fc.assert(
    fc.property(fc.webPath({ size: '-4' }), fc.webQueryParameters(), (path, query) => {
      const target = `/v2${path}?${query}`
      assert.equal(after(`<${target}>; rel="next"`), new URL(target, url).href)
    }),
  )
})
