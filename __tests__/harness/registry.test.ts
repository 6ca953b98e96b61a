import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseName } from '../../src/registry/reference.ts'
import { login, openDesk } from './registry/desk.ts'
import { startRegistry } from './registry/registry.ts'
import { noise, sampleImage, sampleLayer } from './registry/sample.ts'
import { skopeo } from './skopeo.ts'

const image = () => sampleImage(sampleLayer({ name: 'a', data: noise(6_000_000) }))

test('real clients log in, pull and push through the front as they do at GHCR', async () => {
  for (const options of [{ tokens: login }, { basic: login }]) {
    await using desk = await openDesk(options)
    const { digest } = await desk.push(image())
    const copyAs = (creds: string) =>
      skopeo(desk.directory, [
        ...['copy', '--insecure-policy', '--preserve-digests'],
        ...['--src-tls-verify=false', '--dest-tls-verify=false'],
        ...['--src-creds', creds, '--dest-creds', creds],
        ...[`docker://${desk.name}:main`, `docker://${desk.registry.host}/octo/copy:main`],
      ])
    const right = await copyAs(`${login.username}:${login.password}`)
    assert.equal(right.code, 0, right.stderr)
    const copy = desk.client({ repository: parseName(`${desk.registry.host}/octo/copy`) })
    assert.equal((await copy.headManifest('main'))?.digest, digest)
    const wrong = await copyAs(`${login.username}:wrong-horse`)
    assert.notEqual(wrong.code, 0)
    assert.match(wrong.stderr, /403 Forbidden|unauthorized/)
  }
})

test("GHCR's limits: chunks above 4 MiB are refused, a single PUT of any size is not, referrers are absent", async () => {
  await using registry = await startRegistry()
  const base = `http://${registry.host}/v2/octo/app`
  const session = async () => {
    const begun = await fetch(`${base}/blobs/uploads/`, { method: 'POST' })
    return new URL(begun.headers.get('location') ?? '', base)
  }
  const chunk = (size: number, url: URL) =>
    fetch(url, {
      method: 'PATCH',
      headers: { 'content-type': 'application/octet-stream', 'content-range': `0-${size - 1}` },
      body: Buffer.alloc(size),
    })
  assert.equal((await chunk(4 * 1024 ** 2, await session())).status, 202)
  const refused = await chunk(4 * 1024 ** 2 + 1, await session())
  assert.equal(refused.status, 416)
  assert.match(await refused.text(), /maximum permissible limit of 4\.00MiB/)
  assert.equal((await fetch(`${base}/referrers/sha256:${'0'.repeat(64)}`)).status, 404)
})

test('a token is good for what was asked for, and for nothing else', async () => {
  await using registry = await startRegistry({ tokens: login })
  const authorization = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
  const issued = await fetch(
    `http://${registry.host}/token?service=${registry.host}&scope=repository:octo/app:pull`,
    { headers: { authorization } },
  )
  const { token } = (await issued.json()) as { token: string }
  const ask = async (method: string, path: string, bearer = token) => {
    const headers = { authorization: `Bearer ${bearer}` }
    return (await fetch(`http://${registry.host}/v2/${path}`, { method, headers })).status
  }
  assert.equal(await ask('GET', 'octo/app/manifests/none'), 404)
  assert.equal(await ask('GET', 'octo/other/manifests/none'), 403)
  assert.equal(await ask('POST', 'octo/app/blobs/uploads/'), 403)
  assert.equal(await ask('GET', 'octo/app/manifests/none', 'made-up'), 401)
  registry.expireTokens()
  assert.equal(await ask('GET', 'octo/app/manifests/none'), 401)
  assert.ok(registry.secrets().includes(token))
})

test('what is pushed stays in a directory that was given', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'kept-'))
  let digest: string | undefined
  {
    await using desk = await openDesk({ directory })
    digest = (await desk.push(image())).digest
  }
  {
    await using desk = await openDesk({ directory })
    assert.equal((await desk.client().headManifest('main'))?.digest, digest)
  }
  await rm(directory, { recursive: true })
})
