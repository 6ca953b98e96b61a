import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pin } from '../../script/pin-nix.ts'

const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

test('a release is pinned when tarball and published digest agree, and nothing changes when not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pins-'))
  const file = join(folder, 'pins.json')
  const served: Record<string, string> = {}
  const serve = (version: string, system: string, body: string, digest = digestOf(body)) => {
    const path = `/nix-${version}/nix-${version}-${system}.tar.xz`
    Object.assign(served, { [path]: body, [`${path}.sha256`]: `${digest}\n` })
  }
  const server = createServer((request, response) => {
    const body = served[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200).end(body)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    const old = `${JSON.stringify({ '2.9.1': { 'x86_64-linux': digestOf('old') } })}\n`
    await writeFile(file, old)
    serve('2.10.0', 'x86_64-linux', 'one')
    await assert.rejects(pin('2.10.0', mirror, file), /aarch64-linux\.tar\.xz\.sha256: HTTP 404/)
    serve('2.10.0', 'aarch64-linux', 'two', digestOf('other'))
    await assert.rejects(pin('2.10.0', mirror, file), /has the digest .* published is/)
    serve('2.9.1', 'x86_64-linux', 'new')
    serve('2.9.1', 'aarch64-linux', 'new')
    await assert.rejects(pin('2.9.1', mirror, file), /is pinned with another digest/)
    await assert.rejects(pin('2.10', mirror, file), /not a version/)
    assert.equal(await readFile(file, 'utf8'), old)

    serve('2.10.0', 'aarch64-linux', 'two')
    const digests = { 'x86_64-linux': digestOf('one'), 'aarch64-linux': digestOf('two') }
    assert.deepEqual(await pin('2.10.0', mirror, file), digests)
    const pins = JSON.parse(await readFile(file, 'utf8'))
    assert.deepEqual(Object.keys(pins), ['2.10.0', '2.9.1'])
    assert.deepEqual(pins['2.10.0'], digests)
  } finally {
    server.close()
    await rm(folder, { recursive: true })
  }
})
