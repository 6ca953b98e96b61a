import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { sha256 } from '../../src/util/digest.ts'
import { login, openDesk } from '../harness/registry/desk.ts'
import { noise, sampleFile, sampleImage, sampleLayer, unreadable } from '../harness/registry/sample.ts'
import { errors, ghcr } from '../harness/registry/troubles.ts'

const uploads = /\/blobs\/uploads\//
const image = () => sampleImage(sampleLayer({ name: 'a', data: noise(2_000_000) }))

const everywhere = {
  ping: { path: /^\/v2\/$/ },
  token: { path: /^\/token$/ },
  'look-up of a tag': { method: 'HEAD', path: /\/manifests\/main/ },
  'look-up of a blob': { method: 'HEAD', path: /\/blobs\// },
  'start of an upload': { method: 'POST', path: uploads },
  upload: { method: 'PUT', path: uploads },
  'manifest by digest': { method: 'PUT', path: /\/manifests\/sha256/ },
  'check of the manifest': { method: 'GET', path: /\/manifests\/sha256/ },
  'manifest by tag': { method: 'PUT', path: /\/manifests\/main/ },
}
const passing = {
  '502': { status: 502, body: '<html>Bad Gateway</html>' },
  '503 with a wait': { status: 503, headers: { 'retry-after': '7' } },
  '429 with the wait in the body': ghcr.tooManyRequests,
  'a reset': { kind: 'reset' },
  'a lost answer': { kind: 'lost' },
} as const

for (const [place, target] of Object.entries(everywhere)) {
  test(`${place}: what passes does no harm`, async () => {
    for (const [name, trouble] of Object.entries(passing)) {
      await using desk = await openDesk({ tokens: login })
      const fault = desk.registry.fault({ ...target, ...trouble, times: 2 })
      const pushed = await desk.push(image())
      assert.equal(fault.hits, 2, name)
      // Where the registry did the work and only its answer was lost, the second look finds the manifest there.
      assert.equal(pushed.changed, true, name)
      assert.equal((await desk.client().headManifest('main'))?.digest, pushed.digest)
      if (name.startsWith('503')) assert.ok(desk.waits.includes(7000), name)
    }
  })
}

test('a reset in the middle of an upload begins another one', async () => {
  await using desk = await openDesk({ tokens: login })
  const layer = sampleLayer({ name: 'a', data: noise(20_000_000) })
  desk.registry.fault({ method: 'PUT', path: uploads, kind: 'cut', times: 2 })
  const pushed = await desk.push(sampleImage(layer))
  assert.equal(pushed.changed, true)
  const sessions = desk.registry.requests.filter(({ method, path }) => method === 'PUT' && uploads.test(path))
  assert.equal(sessions.length, 4)
  assert.equal(new Set(sessions.map(({ path }) => path)).size, 4, 'each in a session of its own')
})

test('a session that the registry has lost is replaced', async () => {
  await using desk = await openDesk()
  desk.registry.fault({ method: 'PUT', path: uploads, ...errors(404, 'BLOB_UPLOAD_UNKNOWN', ''), times: 1 })
  assert.equal((await desk.push(image())).changed, true)
})

test('a registry that refuses before it has read everything is heard', async () => {
  await using desk = await openDesk()
  desk.registry.fault({ method: 'PUT', path: uploads, ...errors(413, 'SIZE_INVALID', 'too large') })
  const error = await desk.refusal(sampleImage(sampleLayer({ name: 'a', data: noise(20_000_000) })))
  assert.match(error.message, /413 SIZE_INVALID: too large/)
})

test('what does not pass ends after some time, and leaves the tags as they were', async () => {
  for (const [target, trouble, words] of [
    [everywhere.upload, { status: 502 }, /status 502/],
    [everywhere.upload, { kind: 'reset' }, /upload of sha256:\w+ failed.*ECONNRESET/],
    [everywhere['manifest by digest'], { status: 503 }, /status 503/],
    [everywhere['manifest by tag'], ghcr.tooManyRequests, /status 429/],
    [everywhere.token, { status: 500 }, /status 500/],
    [everywhere.token, ghcr.secondaryLimit, /secondary rate limit/],
  ] as const) {
    await using desk = await openDesk({ tokens: login })
    const { digest } = await desk.push(sampleImage())
    const fault = desk.registry.fault({ ...target, ...trouble })
    const error = await desk.refusal(image())
    assert.match(error.message, words)
    assert.ok(error.advice)
    assert.equal(fault.hits, 6)
    fault.clear()
    assert.equal((await desk.client().headManifest('main'))?.digest, digest)
  }
})

test('a registry that never answers is an error, wherever it stops', async () => {
  for (const target of Object.values(everywhere)) {
    await using desk = await openDesk({ tokens: login })
    desk.registry.fault({ ...target, kind: 'hang' })
    const client = desk.client({ timeouts: { idle: 200, idleUpload: 200 } })
    const error = await desk.refusal(image(), { client })
    assert.match(error.message, /no answer within 0\.2 s \(ETIMEDOUT\)/)
  }
})

test('a registry that cannot be reached', async () => {
  await using desk = await openDesk()
  const client = desk.client()
  await desk.registry.close()
  const error = await desk.refusal(image(), { client })
  assert.match(error.message, /ECONNREFUSED/)
  assert.match(error.advice ?? '', /is up/)
})

test('a blob that the registry forgets before the manifest comes is sent again', async () => {
  await using desk = await openDesk()
  const hold = desk.registry.hold({ method: 'PUT', path: /\/manifests\/sha256/ })
  const pushing = desk.push(image())
  await hold.reached
  const blob = desk.registry.requests.find(({ method, path }) => method === 'HEAD' && /\/blobs\//.test(path))
  const lost = await fetch(`http://${desk.registry.host}${blob?.path}`, { method: 'DELETE' })
  assert.equal(lost.status, 202)
  hold.release()
  const pushed = await pushing
  assert.equal(pushed.changed, true)
  assert.equal(desk.registry.count({ method: 'PUT', path: uploads }), 3)

  desk.registry.fault({ method: 'PUT', path: /\/manifests\//, ...ghcr.manifestBlobUnknown })
  const other = sampleImage(sampleLayer({ name: 'b' }))
  assert.match((await desk.refusal(other)).message, /MANIFEST_BLOB_UNKNOWN/)
})

test('a registry that answers with another digest is not believed', async () => {
  const other = sha256('something else')
  for (const target of [
    everywhere.upload,
    everywhere['manifest by digest'],
    everywhere['check of the manifest'],
    everywhere['manifest by tag'],
  ]) {
    await using desk = await openDesk()
    desk.registry.fault({
      ...target,
      status: target.method === 'PUT' ? 201 : 200,
      headers: { 'docker-content-digest': other },
    })
    const error = await desk.refusal(image())
    assert.ok(error.message.includes(other), error.message)
  }
})

test('another manifest under the digest is not taken for it', async () => {
  await using desk = await openDesk()
  const headers = {
    'docker-content-digest': sha256('something else'),
    'content-type': 'application/vnd.oci.image.manifest.v1+json',
    'content-length': '14',
  }
  desk.registry.fault({ method: 'HEAD', path: /\/manifests\/sha256/, status: 200, headers })
  assert.match((await desk.refusal(image())).message, new RegExp(headers['docker-content-digest']))
})

test('a manifest or tag that is not there afterwards is an error', async () => {
  await using desk = await openDesk()
  desk.registry.fault({ method: 'PUT', path: /\/manifests\/sha256/, status: 201, times: 1 })
  assert.match((await desk.refusal(image())).message, /took the manifest sha256:\w+ and does not have it/)
  desk.registry.fault({ method: 'PUT', path: /\/manifests\/main/, status: 201, times: 1 })
  assert.match((await desk.refusal(image())).message, /octo\/app:main is missing just after/)
})

test('an upload without a place to send it to', async () => {
  for (const headers of [
    {},
    { location: 'ftp://example.com/' },
    { location: 'http://' },
    { location: 'http://user:x@localhost/' },
  ]) {
    await using desk = await openDesk()
    desk.registry.fault({ method: 'POST', path: uploads, status: 202, headers })
    assert.match((await desk.refusal(image())).message, /does not say where/)
  }
})

test('a layer that is not what the image claims is not sent', async () => {
  const honest = sampleLayer({ name: 'a', data: noise(1_000_000) })
  const { source } = honest
  const packed = gzipSync(await readFile(String(source.file)))
  for (const [name, layer, words] of [
    ['other content', { ...honest, diffId: sha256('x') }, new RegExp(`has the digest ${honest.diffId}`)],
    ['too short', { ...honest, source: { ...source, length: source.length - 512 } }, /has the digest/],
    ['packed otherwise', { ...honest, source: { ...source, packing: 'gzip' } }, /cannot be unpacked/],
    ['cut off', { ...honest, source: sampleFile(packed.subarray(0, -9), 'gzip') }, /cannot be unpacked/],
  ] as const) {
    for (const compression of ['gzip', 'zstd'] as const) {
      await using desk = await openDesk()
      const error = await desk.refusal(sampleImage(layer), { compression })
      assert.match(error.message, /^(The image is damaged: its layer sha256:|Damaged archive)/, name)
      assert.match(error.message, words, name)
      assert.equal(desk.registry.count({ method: 'POST' }), 0)
    }
  }
})

test('after one failure nothing more is sent or left', async () => {
  await using desk = await openDesk()
  // The largest, so the first.
  const broken = { ...sampleLayer({ name: 'a', data: noise(6_000_000) }), diffId: sha256('x') }
  const others = [1, 2, 3, 4, 5, 6].map(seed => sampleLayer({ name: 'a', data: noise(5_000_000, seed) }))
  await desk.refusal(sampleImage(broken, ...others), { concurrency: 1 })
  assert.equal(desk.registry.count({ method: 'PUT' }), 0)
})

test('what cannot be read is said as it is', async () => {
  await using desk = await openDesk()
  const layer = unreadable(sampleLayer({ name: 'a', data: noise(100_000) }))
  await assert.rejects(desk.push(sampleImage(layer)), /ENOENT.*there is no such file/)
  const short = { ...layer, source: { ...sampleFile(noise(1000)), length: 2000 } }
  await assert.rejects(desk.push(sampleImage(short)), /became shorter while it was read/)
})

test('a push that is called off ends, and leaves the tags as they were', async () => {
  for (const target of [
    everywhere.upload,
    everywhere['look-up of a blob'],
    everywhere['manifest by digest'],
  ]) {
    await using desk = await openDesk()
    const hold = desk.registry.hold(target)
    const stop = new AbortController()
    const pushing = desk.push(image(), { signal: stop.signal })
    await hold.reached
    stop.abort()
    await assert.rejects(pushing, { name: 'AbortError' })
    hold.release()
    assert.equal(await desk.client().headManifest('main'), undefined)
  }
})
