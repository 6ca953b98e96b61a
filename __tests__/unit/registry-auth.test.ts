import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withAuth } from '../../src/registry/auth.ts'
import type { Request, Response } from '../../src/registry/transport.ts'
import { UserError } from '../../src/util/errors.ts'

const credentials = { username: 'octocat', password: 'hunter2' }

/** Asks once for a manifest of a registry that answers so; gives what was sent to whom. */
async function ask(origin: string, answer: (request: Request) => Partial<Response>) {
  const sent: { url: string; authorization: string | undefined }[] = []
  const send = withAuth(
    async request => {
      sent.push({ url: request.url.href, authorization: request.headers?.authorization })
      return { status: 200, headers: {}, body: Buffer.alloc(0), url: request.url, ...answer(request) }
    },
    {
      origin,
      credentials,
      scopes: ['repository:o/a:pull,push', 'repository:o/b:pull'],
      now: () => 0,
      refused: ({ status }) => new UserError(`refused with ${status}`),
    },
  )
  const response = await send({ method: 'GET', url: new URL('/v2/o/a/manifests/x', origin) }).catch(
    error => error,
  )
  return { response, sent }
}

const challenge = (value: string) => ({ status: 401, headers: { 'www-authenticate': value } })
const token = (value: unknown) => ({ status: 200, body: Buffer.from(JSON.stringify(value)) })

test('the token server may be elsewhere, if it is as safe', async () => {
  for (const [origin, realm] of [
    ['https://registry.example', 'http://registry.example/token'],
    ['https://registry.example', 'http://127.0.0.1/token'],
    ['https://registry.example', 'ftp://registry.example/token'],
    ['https://registry.example', '/token'],
    ['https://registry.example', ''],
    ['http://localhost:5000', 'file:///token'],
  ] as const) {
    const { response, sent } = await ask(origin, () => challenge(`Bearer realm="${realm}",service="s"`))
    assert.ok(response instanceof UserError, realm)
    assert.match(response.message, /no address that a password may be sent to/)
    assert.deepEqual(
      sent.map(({ authorization }) => authorization),
      [undefined],
    )
  }
  for (const origin of ['https://registry.example', 'http://localhost:5000']) {
    const { response, sent } = await ask(origin, ({ url, headers }) => {
      if (url.host === 'auth.example') return token({ token: 't' })
      return headers?.authorization
        ? {}
        : challenge('Bearer realm="https://auth.example/t?x=%2B",service="s e"')
    })
    assert.equal(response.status, 200)
    assert.deepEqual(sent, [
      { url: `${origin}/v2/`, authorization: undefined },
      {
        url: 'https://auth.example/t?x=%2B&service=s+e&scope=repository%3Ao%2Fa%3Apull%2Cpush&scope=repository%3Ao%2Fb%3Apull',
        authorization: 'Basic b2N0b2NhdDpodW50ZXIy',
      },
      { url: `${origin}/v2/o/a/manifests/x`, authorization: 'Bearer t' },
    ])
  }
})

test('only a token is taken for a token', async () => {
  for (const [body, header] of [
    [{ token: 'abc', expires_in: 300 }, 'Bearer abc'],
    [{ access_token: 'abc' }, 'Bearer abc'],
    [{ token: null, access_token: 'abc', expires_in: '300' }, 'Bearer abc'],
    [{ token: 'abc', access_token: 'def' }, 'Bearer abc'],
    [{}, undefined],
    [{ token: '' }, undefined],
    [{ token: 7 }, undefined],
    [{ token: 'a\r\nx-evil: 1' }, undefined],
    ['text', undefined],
    [null, undefined],
  ] as const) {
    const { response, sent } = await ask('https://registry.example', ({ url, headers }) => {
      if (url.pathname === '/token') return token(body)
      return headers?.authorization ? {} : challenge('Bearer realm="https://registry.example/token"')
    })
    assert.equal(sent.at(-1)?.authorization, header ?? 'Basic b2N0b2NhdDpodW50ZXIy')
    if (header === undefined) assert.match(response.message, /not a token/)
    else assert.equal(response.status, 200)
  }
})

test('a registry that asks in a way unknown to us gets no credential', async () => {
  const { response, sent } = await ask('https://registry.example', () => challenge('Negotiate'))
  assert.equal(response.status, 401)
  assert.ok(sent.every(({ authorization }) => authorization === undefined))
})
