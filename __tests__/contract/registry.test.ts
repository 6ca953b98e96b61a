import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { partsBin } from '../../script/parts/paths.ts'
import type { Image } from '../../src/image/model.ts'
import { memoKey } from '../../src/registry/layers.ts'
import { isDigest, sha256 } from '../../src/util/digest.ts'
import { exec } from '../../src/util/exec.ts'
import { type Desk, login, openDesk } from '../harness/registry/desk.ts'
import { noise, sampleImage, sampleLayer } from '../harness/registry/sample.ts'
import { skopeo } from '../harness/skopeo.ts'

const blobs = /\/blobs\/sha256:/
const uploads = /\/blobs\/uploads\//

const small = () => sampleLayer({ name: 'etc/hello', data: 'hello\n' })
const large = () => sampleLayer({ name: 'lib/noise', data: noise(3_000_000) })

async function run(program: 'skopeo' | 'crane', desk: Desk, args: readonly string[]): Promise<string> {
  const { directory } = desk
  const { code, stdout, stderr } =
    program === 'skopeo'
      ? await skopeo(directory, args)
      : await exec(join(partsBin, program), args, { env: { HOME: directory, DOCKER_CONFIG: directory } })
  assert.equal(code, 0, `${program} ${args[0]}: ${stderr}`)
  return stdout
}

/** Reads the image back with skopeo, and gives its manifest after comparing every byte of it. */
async function pullBack(desk: Desk, image: Image, tag: string) {
  const source = `docker://${desk.name}:${tag}`
  const raw = await run('skopeo', desk, ['inspect', '--raw', '--tls-verify=false', '--no-creds', source])
  const directory = join(desk.directory, 'copy')
  await run('skopeo', desk, [
    'copy',
    '--insecure-policy',
    '--src-tls-verify=false',
    '--src-no-creds',
    '--dest-decompress',
    source,
    `dir:${directory}`,
  ])
  // Unpacked, each layer is a file that is named by its digest: the diffID of the image's config.
  const files = await readdir(directory)
  for (const digest of [sha256(image.config), ...image.layers.map(layer => layer.diffId)])
    assert.ok(files.includes(digest.slice('sha256:'.length)), digest)
  return JSON.parse(raw)
}

for (const compression of ['gzip', 'zstd'] as const) {
  test(`an image pushed with ${compression} is read back by skopeo and crane`, async () => {
    await using desk = await openDesk()
    const image = sampleImage(small(), large(), small())
    const pushed = await desk.push(image, {
      compression,
      tags: ['main', 'v1'],
      annotations: { 'org.opencontainers.image.source': 'https://example.com/x', a: 'b' },
    })

    const manifest = await pullBack(desk, image, 'v1')
    assert.equal(manifest.mediaType, 'application/vnd.oci.image.manifest.v1+json')
    assert.equal(manifest.config.mediaType, 'application/vnd.oci.image.config.v1+json')
    assert.deepEqual(Object.keys(manifest.annotations), ['a', 'org.opencontainers.image.source'])
    assert.deepEqual(
      manifest.layers,
      pushed.layers.map(({ digest, size }) => ({
        mediaType: `application/vnd.oci.image.layer.v1.tar+${compression}`,
        digest,
        size,
      })),
    )
    for (const tag of ['main', 'v1'])
      assert.equal((await run('crane', desk, ['digest', `${desk.name}:${tag}`])).trim(), pushed.digest)
    // Unpacks every layer and compares it with the config's diffIDs; crane 0.20 reads gzip only.
    if (compression === 'gzip') await run('crane', desk, ['validate', '--remote', `${desk.name}:main`])
    assert.equal(await run('crane', desk, ['config', `${desk.name}:main`]), image.config.toString())

    const [first, second, repeated] = pushed.layers
    assert.deepEqual(
      pushed.layers.map(layer => layer.how),
      ['uploaded', 'uploaded', 'present'],
    )
    assert.equal(repeated?.digest, first?.digest)
    assert.equal(pushed.size, (first?.size ?? 0) + (second?.size ?? 0) + image.config.length)
    assert.equal(pushed.uploaded, pushed.size)
    assert.equal(pushed.changed, true)
    assert.deepEqual(pushed.tagged, ['main', 'v1'])
    // Each blob in one PUT with its length, and not one byte more than the blobs have.
    assert.equal(desk.registry.count({ method: 'PATCH' }), 0)
    const sent = desk.registry.requests.filter(({ path, method }) => method === 'PUT' && uploads.test(path))
    assert.equal(sent.length, 3)
    assert.equal(
      sent.reduce((total, { received }) => total + received, 0),
      pushed.uploaded,
    )
  })
}

test('blobs come before the manifest, the manifest before its tags, the tags in their order', async () => {
  await using desk = await openDesk()
  const { digest } = await desk.push(sampleImage(small(), large()), { tags: ['b', 'a'] })
  const puts = desk.registry.requests.filter(({ method }) => method === 'PUT').map(({ path }) => path)
  assert.deepEqual(
    puts.map(path => (uploads.test(path) ? 'blob' : path.replace('/v2/octo/app/manifests/', ''))),
    ['blob', 'blob', 'blob', digest, 'b', 'a'],
  )
})

test('a second push sends nothing, with and without a memo', async () => {
  await using desk = await openDesk()
  const first = await desk.push(sampleImage(small(), large()))
  assert.equal(first.memo.size, 2)

  desk.registry.forget()
  const forgetful = sampleImage(small(), large())
  const second = await desk.push(forgetful)
  assert.deepEqual(
    [second.digest, second.changed, second.uploaded, desk.registry.count({ path: uploads })],
    [first.digest, false, 0, 0],
  )
  assert.deepEqual(second.memo, first.memo)
  assert.deepEqual(
    second.layers.map(({ how }) => how),
    ['present', 'present'],
  )

  desk.registry.forget()
  const layers = [small(), large()]
  const third = await desk.push(sampleImage(...layers), { memo: first.memo })
  assert.deepEqual([third.digest, third.changed, third.uploaded], [first.digest, false, 0])
  assert.equal(third.size, first.size)
  assert.deepEqual(third.memo, first.memo)
  assert.deepEqual(
    layers.map(({ opened }) => opened),
    [0, 0],
  )
  assert.equal(desk.registry.count({ path: blobs }), 0, 'no blob is asked for')
  assert.equal(desk.registry.count({ method: 'PUT' }), 0)
})

test('a new tag on a known image costs a manifest and no blob request', async () => {
  await using desk = await openDesk()
  const { digest, memo } = await desk.push(sampleImage(small(), large()))
  desk.registry.forget()
  const again = await desk.push(sampleImage(small(), large()), { memo, tags: ['main', 'new'] })
  assert.deepEqual([again.digest, again.changed, again.tagged], [digest, false, ['new']])
  assert.equal(desk.registry.count({ path: /\/blobs\// }), 0)
  assert.deepEqual(
    desk.registry.requests.filter(({ method }) => method === 'PUT').map(({ path }) => path),
    ['/v2/octo/app/manifests/new'],
  )
  assert.equal((await desk.client().headManifest('new'))?.digest, digest)
})

test('only the layer that changed is read and sent', async () => {
  await using desk = await openDesk()
  const { memo } = await desk.push(sampleImage(small(), large()))
  desk.registry.forget()
  const kept = large()
  const fresh = sampleLayer({ name: 'etc/hello', data: 'goodbye\n' })
  const image = sampleImage(fresh, kept)
  const pushed = await desk.push(image, { memo })
  assert.deepEqual([fresh.opened, kept.opened], [1, 0])
  assert.deepEqual(
    pushed.layers.map(({ how }) => how),
    ['uploaded', 'present'],
  )
  assert.equal(pushed.changed, true)
  assert.equal(pushed.uploaded, (pushed.layers[0]?.size ?? 0) + image.config.length)
  assert.deepEqual(
    [...pushed.memo.keys()],
    [fresh, kept].map(({ diffId }) => memoKey(diffId, 'gzip')),
  )
  await pullBack(desk, image, 'main')
})

test('a layer that the registry has lost, or that the memo has wrong, is made again', async () => {
  await using desk = await openDesk()
  const layers = [small(), large()]
  const first = await desk.push(sampleImage(...layers))
  const [{ digest = '' } = {}, right] = first.layers
  assert.ok(isDigest(digest) && right !== undefined)
  const wrong = new Map(first.memo)
  wrong.set(memoKey(right.diffId, 'gzip'), { digest: right.digest, size: right.size + 1 })

  const lost = await fetch(`http://${desk.registry.host}/v2/octo/app/blobs/${digest}`, { method: 'DELETE' })
  assert.equal(lost.status, 202)
  const image = sampleImage(...layers, sampleLayer({ name: 'new', data: 'x' }))
  const second = await desk.push(image, { memo: wrong })
  assert.deepEqual(
    second.layers.map(({ how }) => how),
    ['uploaded', 'present', 'uploaded'],
  )
  assert.deepEqual(second.memo.get(memoKey(right.diffId, 'gzip')), { digest: right.digest, size: right.size })
  await pullBack(desk, image, 'main')
})

test('what decides the bytes of a layer decides its memo', () => {
  const { diffId } = small()
  const keys = [
    memoKey(diffId, 'gzip'),
    memoKey(diffId, 'gzip', 9),
    memoKey(diffId, 'zstd'),
    memoKey(diffId, 'zstd', 6),
    memoKey(large().diffId, 'gzip'),
  ]
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(memoKey(diffId, 'gzip', 6), memoKey(diffId, 'gzip'))
  assert.equal(memoKey(diffId, 'zstd', 3), memoKey(diffId, 'zstd'))
})

test('the digest depends on content only, not on how and when a layer is read', async () => {
  await using desk = await openDesk()
  const program = (await readFile(process.execPath)).subarray(40_000_000)
  for (const compression of ['gzip', 'zstd'] as const) {
    for (const data of ['hello', program.subarray(0, 100_000), program.subarray(0, 2 * 1024 ** 2 - 1536)]) {
      const layer = sampleLayer({ name: 'bin/program', data })
      const digests = new Set<string>()
      for (const size of [1_000_000, 131_072, 7919]) {
        for (const slowly of [false, true]) {
          const open = () => Readable.from(chopped(layer.open(), size, slowly))
          digests.add((await desk.push(sampleImage({ ...layer, open }), { compression, tags: [] })).digest)
        }
      }
      assert.equal(digests.size, 1, `${compression}, ${layer.size} bytes`)
    }
  }
})

async function* chopped(source: Readable, size: number, slowly: boolean): AsyncGenerator<Buffer> {
  const bytes = await buffer(source)
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size)
    if (slowly) await setImmediate()
  }
}

test('the level is heeded', async () => {
  await using desk = await openDesk()
  for (const compression of ['gzip', 'zstd'] as const) {
    const layer = sampleLayer({ name: 'text', data: noise(500_000).toString('hex') })
    const sizes = await Promise.all(
      [1, 9].map(async level => (await desk.push(sampleImage(layer), { compression, level, tags: [] })).size),
    )
    assert.notEqual(sizes[0], sizes[1])
  }
})

for (const location of ['relative', 'absolute'] as const) {
  test(`an upload goes to the ${location} Location that the registry gives`, async () => {
    await using desk = await openDesk({ location, tokens: login })
    assert.equal((await desk.push(sampleImage(small()))).changed, true)
  })
}

test('an image without layers, without tags', async () => {
  await using desk = await openDesk()
  const image = sampleImage()
  const pushed = await desk.push(image, { tags: [] })
  assert.equal(pushed.size, image.config.length)
  assert.equal((await desk.client().headManifest(pushed.digest))?.digest, pushed.digest)
  assert.equal((await desk.push(sampleImage(), { tags: [] })).changed, false)
})

test('an unusable tag is refused before anything is asked', async () => {
  await using desk = await openDesk()
  const error = await desk.refusal(sampleImage(small()), { tags: ['fine', 'not fine'] })
  assert.match(error.message, /not fine/)
  assert.equal(desk.registry.requests.length, 0)
})

test('files in scratch are for nobody else', async () => {
  await using desk = await openDesk()
  const hold = desk.registry.hold({ method: 'POST', path: uploads })
  const pushing = desk.push(sampleImage(large()))
  await hold.reached
  for (const entry of await readdir(desk.scratch, { recursive: true })) {
    const { mode } = await stat(join(desk.scratch, entry))
    assert.equal(mode & 0o077, 0, entry)
  }
  assert.equal((await readdir(desk.scratch)).length, 1)
  hold.release()
  await pushing
})

test('scratch never holds more layers than are worked on', async () => {
  await using desk = await openDesk()
  let most = 0
  const layers = [1, 2, 3].map(seed => {
    const layer = sampleLayer({ name: 'a', data: noise(1000, seed) })
    const open = () => {
      const files = readdirSync(desk.scratch, { recursive: true, withFileTypes: true })
      most = Math.max(most, files.filter(file => file.isFile()).length)
      return layer.open()
    }
    return { ...layer, open }
  })
  await desk.push(sampleImage(...layers), { concurrency: 1 })
  assert.equal(most, 0, 'a layer is opened when the one before is gone')
})
