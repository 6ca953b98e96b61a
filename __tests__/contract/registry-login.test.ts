import assert from 'node:assert/strict'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { login, openDesk } from '../harness/registry/desk.ts'
import { noise, sampleImage, sampleLayer, unreadable } from '../harness/registry/sample.ts'
import { errors, ghcr } from '../harness/registry/troubles.ts'

const uploads = /\/blobs\/uploads\//
const image = () => sampleImage(sampleLayer({ name: 'a', data: noise(300_000) }))

test('one token, for pulling and pushing what is pushed, serves all requests', async () => {
  await using desk = await openDesk({ tokens: login })
  const layers = [1, 2, 3, 4].map(seed => sampleLayer({ name: 'a', data: noise(9999, seed) }))
  await desk.push(sampleImage(...layers), { tags: ['a', 'b', 'c'] })
  const tokens = desk.registry.requests.filter(({ path }) => path === '/token')
  assert.deepEqual(
    tokens.map(({ scopes, login }) => [scopes, login]),
    [[['repository:octo/app:pull,push'], 'Basic']],
  )
  for (const { path, login, status } of desk.registry.requests) {
    if (path === '/token') continue
    assert.equal(login, path === '/v2/' ? 'none' : 'Bearer')
    assert.ok(path === '/v2/' || status !== 401)
  }
})

test('Basic authentication', async () => {
  await using desk = await openDesk({ basic: login })
  assert.equal((await desk.push(image())).changed, true)
  const error = await desk.refusal(image(), { client: desk.client({ credentials: undefined }) })
  assert.match(error.message, /status 401/)
  const wrong = { ...login, password: 'wrong-horse' }
  assert.match(
    (await desk.refusal(image(), { client: desk.client({ credentials: wrong }) })).message,
    /status 401/,
  )
})

test('a wrong password is said before anything is compressed, without saying it', async () => {
  await using desk = await openDesk({ tokens: login })
  const layer = unreadable(sampleLayer({ name: 'a', data: 'x' }))
  const wrong = { username: 'octocat', password: 'wrong-horse-battery' }
  const error = await desk.refusal(sampleImage(layer), { client: desk.client({ credentials: wrong }) })
  assert.ok(error.message.includes(`${desk.registry.host} does not accept the password of 'octocat'`))
  assert.match(error.advice ?? '', /username.*password/)
  assert.ok(!desk.lines.some(line => line.includes(wrong.password)))
  assert.equal(desk.registry.count({ path: /\/token/ }), 1, 'a wrong password is not tried again')
})

test('no password where one is wanted', async () => {
  await using desk = await openDesk({ tokens: login })
  const error = await desk.refusal(image(), { client: desk.client({ credentials: undefined }) })
  assert.match(error.message, /wants a login/)
  assert.match(error.advice ?? '', /username.*password/)
})

test('a token that is refused in the middle is fetched again, whatever it was refused for', async () => {
  for (const target of [
    { method: 'HEAD', path: /\/blobs\// },
    { method: 'POST', path: uploads },
    { method: 'PUT', path: uploads },
    { method: 'PUT', path: /\/manifests\/main/ },
  ]) {
    await using desk = await openDesk({ tokens: login })
    const hold = desk.registry.hold(target)
    const pushing = desk.push(image())
    await hold.reached
    desk.registry.expireTokens()
    hold.release()
    assert.equal((await pushing).changed, true)
    assert.equal(desk.registry.count({ path: /\/token/ }), 2, JSON.stringify(target))
  }
})

test('a token is renewed before it ends', async () => {
  let now = 0
  await using desk = await openDesk({ tokens: login, tokenSeconds: 300, now: () => now })
  const client = desk.client()
  await desk.push(image(), { client })
  const tokens = () => desk.registry.count({ path: /\/token/ })
  now = 280_000
  await client.headManifest('main')
  assert.equal(tokens(), 1)
  now = 295_000
  await client.headManifest('main')
  assert.equal(tokens(), 2)
  assert.ok(desk.registry.requests.every(({ path, status }) => path === '/v2/' || status !== 401))
})

test('credentials stay with the registry when blobs live at another host', async () => {
  await using desk = await openDesk({ tokens: login, storage: true })
  const pushed = await desk.push(image())
  assert.equal(pushed.changed, true)
  const elsewhere = desk.registry.requests.filter(({ server }) => server === 'storage')
  assert.deepEqual([...new Set(elsewhere.map(({ method }) => method))].toSorted(), ['HEAD', 'PUT'])
  assert.ok(elsewhere.every(({ login }) => login === 'none'))
  assert.deepEqual(
    elsewhere.filter(({ method }) => method === 'PUT').map(({ status }) => status),
    [201, 201],
  )
  // Known there, too: seen through the redirect.
  assert.equal((await desk.push(image())).uploaded, 0)
})

/** Another host that asks everyone for a password, and keeps what it is told. */
async function thief() {
  const told: (string | undefined)[] = []
  const server = http.createServer((request, answer) => {
    told.push(request.headers.authorization)
    const { port } = server.address() as AddressInfo
    answer.writeHead(401, { 'www-authenticate': `Bearer realm="http://localhost:${port}/token"` }).end()
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  return {
    told,
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

test('another host that asks for a password gets none', async () => {
  for (const auth of [{ tokens: login }, { basic: login }]) {
    for (const [target, status] of [
      [{ path: /\/manifests\// }, 307],
      [{ method: 'HEAD', path: /\/blobs\// }, 302],
      [{ method: 'POST', path: uploads }, 202],
    ] as const) {
      await using desk = await openDesk(auth)
      await using other = await thief()
      desk.registry.fault({ ...target, status, headers: { location: other.url } })
      assert.match((await desk.refusal(image())).message, /status 401/)
      assert.ok(other.told.length > 0)
      assert.deepEqual([...new Set(other.told)], [undefined], JSON.stringify(target))
    }
  }
})

test('redirects end', async () => {
  await using desk = await openDesk({ tokens: login })
  desk.registry.fault({ method: 'HEAD', path: /\/blobs\//, status: 307, headers: { location: '' } })
  assert.match((await desk.refusal(image())).message, /status 307/)
  assert.equal(desk.registry.count({ method: 'HEAD', path: /\/blobs\// }), 6)
})

test("GHCR's refusals come with what to do", async () => {
  for (const [refusal, advice] of [
    [ghcr.writePackage, /Manage Actions access/],
    [ghcr.notAllowedToCreate, /packages: write/],
    [errors(403, 'DENIED', 'denied'), /right to push/],
    [errors(404, 'NAME_UNKNOWN', 'repository name not known to registry'), /Create octo\/app/],
  ] as const) {
    await using desk = await openDesk({ tokens: login })
    desk.registry.fault({ method: 'POST', path: uploads, ...refusal })
    const error = await desk.refusal(image())
    assert.match(error.advice ?? '', advice)
    assert.ok(error.message.includes('refused the upload of sha256:'))
    assert.equal(desk.registry.count({ method: 'POST' }), 1, 'a refusal is not tried again')
  }
})

test('a login that may not even look gets the registry’s words, not just a status', async () => {
  await using desk = await openDesk({ tokens: login })
  desk.registry.fault({ path: /\/manifests\//, ...errors(403, 'DENIED', 'not in this organization') })
  assert.match((await desk.refusal(image())).message, /not in this organization/)
})
