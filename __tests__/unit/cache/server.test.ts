import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { hashOf } from '../../../src/cache/model.ts'
import { narFile } from '../../../src/cache/narinfo.ts'
import { lazyPacks, packFolder } from '../../../src/cache/packs.ts'
import { binaryCache } from '../../../src/cache/server.ts'
import { nixBase32 } from '../../../src/util/base32.ts'
import { silent } from '../../../src/util/log.ts'
import { packHash, sampleIndex, samplePath } from './sample.ts'

const content = 'a compressed NAR'
const fileHash = nixBase32(createHash('sha256').update(content).digest())
const app = samplePath('app', { fileHash, fileSize: content.length })
const lost = samplePath('lost', { pack: packHash('lost') })
const token = 'f00'

type Answer = {
  readonly status: number
  readonly body: string
  readonly length: string | undefined
  readonly type: string | undefined
}
type Ask = (path: string, method?: string, body?: string) => Promise<Answer>

/** The cache with one pack in place and one that is missing. */
async function serve(t: TestContext): Promise<Ask> {
  const folder = mkdtempSync(join(tmpdir(), 'server-'))
  const pack = packFolder(folder, app.pack)
  mkdirSync(join(pack, 'nar'), { recursive: true })
  writeFileSync(join(pack, narFile(fileHash)), content)
  writeFileSync(join(folder, 'secret'), 'secret')
  const index = sampleIndex([app, lost])
  const restore = async (_: string, key: string) =>
    key.includes(app.pack) ? ({ outcome: 'restored', key } as const) : ({ outcome: 'missing' } as const)
  const packs = lazyPacks({ index, folder, log: silent, entries: { restore } })
  const server = binaryCache({ index, packs, token, log: silent })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true })
  })
  const { port } = server.address() as AddressInfo
  // Not `fetch`: it tidies up the path before it sends it.
  return (path, method = 'GET', body = '') =>
    new Promise((resolve, reject) => {
      const asked = request({ port, path, method, host: '127.0.0.1', agent: false }, async response => {
        const { statusCode: status = 0, headers } = response
        const { 'content-length': length, 'content-type': type } = headers
        resolve({ status, body: await text(response), length, type })
      })
      asked.on('error', reject).end(body)
    })
}

test('the cache says what it is, describes its paths and gives their NARs', async t => {
  const ask = await serve(t)
  const info = await ask(`/${token}/nix-cache-info`)
  assert.deepEqual([info.status, info.body.split('\n')[0]], [200, 'StoreDir: /nix/store'])
  const hash = hashOf(app.name)
  const narinfo = await ask(`/${token}/${hash}.narinfo`)
  assert.equal(narinfo.type, 'text/x-nix-narinfo')
  assert.match(narinfo.body, new RegExp(`^StorePath: /nix/store/${app.name}\nURL: nar/${hash}\\.nar\\.zst\n`))
  assert.deepEqual(await ask(`/${token}/nar/${hash}.nar.zst`), {
    ...{ status: 200, body: content, length: String(content.length), type: 'application/x-nix-nar' },
  })
})

test('HEAD is answered as GET, without a body', async t => {
  const ask = await serve(t)
  for (const name of [
    'nix-cache-info',
    `${hashOf(app.name)}.narinfo`,
    `nar/${hashOf(app.name)}.nar.zst`,
    'x',
  ]) {
    const [get, head] = [await ask(`/${token}/${name}`), await ask(`/${token}/${name}`, 'HEAD')]
    assert.deepEqual(head, { ...get, body: '' }, name)
  }
})

test('what the cache does not have is 404, for a lost pack from the first time on', async t => {
  const ask = await serve(t)
  const narinfo = `/${token}/${hashOf(lost.name)}.narinfo`
  assert.equal((await ask(narinfo)).status, 200)
  assert.equal((await ask(`/${token}/nar/${hashOf(lost.name)}.nar.zst`)).status, 404)
  assert.equal((await ask(narinfo)).status, 404)
  assert.equal((await ask(`/${token}/${hashOf(samplePath('other').name)}.narinfo`)).status, 404)
})

test('nothing else can be asked for', async t => {
  const ask = await serve(t)
  const hash = hashOf(app.name)
  for (const path of [
    '/',
    '/nix-cache-info',
    `/${hash}.narinfo`,
    `/other/${hash}.narinfo`,
    `/${token}`,
    `/${token}/`,
    `/${token}/../secret`,
    `/${token}/nar/../../secret`,
    `/${token}/%2e%2e/secret`,
    `/${token}/nar/${fileHash}.nar.zst`,
    `/${token}/nar/${hash}.narinfo`,
    `/${token}/${hash}.nar.zst`,
    `/${token}/packs/${app.pack}/nix-cache-info`,
    `/${token}/__proto__`,
    `http://elsewhere.example/${token}/nix-cache-info`,
  ]) {
    assert.equal((await ask(path)).status, 404, path)
  }
  for (const method of ['PUT', 'POST', 'DELETE']) {
    assert.equal((await ask(`/${token}/${hash}.narinfo`, method)).status, 405, method)
  }
})

test('it counts what it did', async t => {
  const ask = await serve(t)
  const hash = hashOf(app.name)
  for (const name of [
    `${hash}.narinfo`,
    `${hash}.narinfo`,
    `${'a'.repeat(32)}.narinfo`,
    `nar/${hash}.nar.zst`,
  ])
    await ask(`/${token}/${name}`)
  await ask(`/${token}/nar/${hashOf(lost.name)}.nar.zst`)
  const { packs, ...stats } = JSON.parse((await ask(`/${token}/stats`)).body)
  assert.deepEqual(stats, { pid: process.pid, hits: 2, misses: 1, served: [hash], bytes: content.length })
  assert.deepEqual([packs.fetched, packs.gone, packs.unreachable], [[app.pack], [lost.pack], []])
})

test('whole packs are had from their folders, and fetched ahead when they are wanted', async t => {
  const ask = await serve(t)
  const found = await ask(`/${token}/packs/${app.pack}`)
  assert.deepEqual([found.status, found.body.endsWith(`/packs/${app.pack}`)], [200, true])
  assert.equal((await ask(`/${token}/packs/${lost.pack}`)).status, 404)
  assert.equal((await ask(`/${token}/packs/../secret`)).status, 404)
  assert.equal((await ask(`/${token}/packs/${packHash('unknown')}`)).status, 404)
  assert.equal((await ask(`/${token}/want`, 'POST', JSON.stringify([app.pack, 'unknown']))).status, 202)
  assert.equal((await ask('/want', 'POST', '[]')).status, 405)
  assert.equal((await ask(`/${token}/nix-cache-info`, 'PUT')).status, 405)
})
