import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { partsBin } from '../../script/parts/paths.ts'
import type { Image, Layer } from '../../src/image/model.ts'
import { memoKey } from '../../src/registry/layers.ts'
import { manifestMediaType } from '../../src/registry/manifest.ts'
import { annotation } from '../../src/registry/records.ts'
import { parseName } from '../../src/registry/reference.ts'
import { isDigest, sha256 } from '../../src/util/digest.ts'
import { exec } from '../../src/util/exec.ts'
import { type Desk, login, openDesk } from '../harness/registry/desk.ts'
import {
  configOf,
  noise,
  sampleFile,
  sampleImage,
  sampleLayer,
  unreadable,
} from '../harness/registry/sample.ts'
import { skopeo } from '../harness/skopeo.ts'

const blobs = /\/blobs\/sha256:/
const indexType = 'application/vnd.oci.image.index.v1+json'
const uploads = /\/blobs\/uploads\//

const small = () => sampleLayer({ name: 'etc/hello', data: 'hello\n' })
const large = () => sampleLayer({ name: 'lib/noise', data: noise(3_000_000) })

async function run(
  program: 'skopeo' | 'crane' | 'oras',
  desk: Desk,
  args: readonly string[],
): Promise<string> {
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
  for (const digest of [sha256(configOf(image)), ...image.layers.map(layer => layer.diffId ?? '')])
    assert.ok(files.includes(digest.slice('sha256:'.length)), digest)
  return JSON.parse(raw)
}

for (const compression of ['gzip', 'zstd'] as const) {
  test(`an image pushed with ${compression} is read back by skopeo, crane and oras`, async () => {
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
      pushed.layers.map(({ digest, diffId, size }, at) => ({
        mediaType: `application/vnd.oci.image.layer.v1.tar+${compression}`,
        digest,
        size,
        annotations: {
          [annotation.diffId]: diffId,
          [annotation.layer]: memoKey(image.layers[at] as Layer, compression),
        },
      })),
    )
    for (const tag of ['main', 'v1'])
      assert.equal((await run('crane', desk, ['digest', `${desk.name}:${tag}`])).trim(), pushed.digest)
    // Unpacks every layer and compares it with the config's diffIDs; crane 0.20 reads gzip only.
    if (compression === 'gzip') await run('crane', desk, ['validate', '--remote', `${desk.name}:main`])
    assert.equal(await run('crane', desk, ['config', `${desk.name}:main`]), configOf(image).toString())
    // Compares every blob with its descriptor.
    const layout = join(desk.directory, 'layout')
    await run('oras', desk, [
      'copy',
      '--from-plain-http',
      `${desk.name}:v1`,
      '--to-oci-layout',
      `${layout}:v1`,
    ])
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'))
    assert.equal(index.manifests[0].digest, pushed.digest)
    const copied = await readdir(join(layout, 'blobs/sha256'))
    for (const { digest } of [pushed, ...pushed.layers]) assert.ok(copied.includes(digest.slice(7)), digest)

    const [first, second, repeated] = pushed.layers
    assert.deepEqual(
      pushed.layers.map(layer => layer.how),
      ['uploaded', 'uploaded', 'present'],
    )
    assert.equal(repeated?.digest, first?.digest)
    assert.equal(pushed.size, (first?.size ?? 0) + (second?.size ?? 0) + configOf(image).length)
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

test('the largest layer is made first, wherever it is in the image', async () => {
  await using desk = await openDesk()
  const layers = [10_000, 3_000_000, 500, 200_000].map((size, at) =>
    sampleLayer({ name: 'a', data: noise(size, at) }),
  )
  const pushed = await desk.push(sampleImage(...layers), { concurrency: 1 })
  const asked = desk.registry.requests.filter(({ method, path }) => method === 'HEAD' && blobs.test(path))
  assert.deepEqual(
    asked.map(({ path }) => pushed.layers.findIndex(({ digest }) => path.endsWith(digest))),
    [1, 3, 0, 2, -1],
  )
})

test('layers that come from different things and are the same are sent once', async () => {
  await using desk = await openDesk()
  const layer = large()
  const hold = desk.registry.hold({ method: 'POST', path: uploads })
  const other = { ...layer, key: 'made in another way' }
  const pushing = desk.push(sampleImage(layer, other), { concurrency: 2 })
  await hold.reached
  hold.release()
  const pushed = await pushing
  assert.deepEqual(
    pushed.layers.map(({ how }) => how),
    ['uploaded', 'present'],
  )
  assert.equal(pushed.memo.size, 2)
  assert.equal(desk.registry.count({ method: 'PUT', path: uploads }), 2, 'the layer and the config')
})

const gone = () => sampleImage(unreadable(small()), unreadable(large()))

test('what the tag names is known without a memo: nothing is read, asked for or sent', async () => {
  await using desk = await openDesk()
  const first = await desk.push(sampleImage(small(), large()))
  assert.equal(first.memo.size, 2)
  for (const memo of [first.memo, new Map()]) {
    desk.registry.forget()
    const again = await desk.push(gone(), { memo })
    assert.deepEqual([again.digest, again.changed, again.uploaded], [first.digest, false, 0])
    assert.deepEqual([again.size, again.memo], [first.size, first.memo])
    assert.deepEqual(
      again.layers.map(({ how }) => how),
      ['present', 'present'],
    )
    assert.equal(desk.registry.count({ path: /\/blobs\// }), 0, 'no blob is asked for')
    assert.equal(desk.registry.count({ method: 'PUT' }), 0)
  }
})

test('where neither memo nor tag says what the registry has, it is found out and not sent again', async () => {
  await using desk = await openDesk()
  const first = await desk.push(sampleImage(small(), large()))
  desk.registry.forget()
  const second = await desk.push(sampleImage(small(), large()), { tags: ['another'] })
  assert.deepEqual(
    [second.digest, second.changed, second.uploaded, desk.registry.count({ path: uploads })],
    [first.digest, false, 0, 0],
  )
  assert.deepEqual(second.memo, first.memo)
})

test('a layer of the image that a tag names is not asked for', async () => {
  await using desk = await openDesk()
  await desk.push(sampleImage(small(), large()))
  desk.registry.forget()
  const fresh = sampleLayer({ name: 'etc/hello', data: 'goodbye\n' })
  const pushed = await desk.push(sampleImage(fresh, unreadable(large())))
  assert.deepEqual(
    pushed.layers.map(({ how }) => how),
    ['uploaded', 'present'],
  )
  const asked = desk.registry.requests.filter(({ method, path }) => method === 'HEAD' && blobs.test(path))
  assert.deepEqual(
    asked.map(({ path }) => path.slice(path.indexOf('sha256'))).sort(),
    [pushed.layers[0]?.digest ?? '', sha256(configOf(sampleImage(fresh, large())))].sort(),
  )
})

test('an image that others have pushed there, or that is none, tells nothing and harms nothing', async () => {
  await using desk = await openDesk()
  const client = desk.client()
  const { digest } = await desk.push(sampleImage(small()), { tags: [] })
  const { bytes } = (await client.getManifest(digest)) ?? assert.fail()
  const manifest = JSON.parse(String(bytes))
  const [layer] = manifest.layers
  for (const other of [
    { ...manifest, layers: [{ ...layer, annotations: undefined }] },
    { ...manifest, layers: [{ ...layer, annotations: { ...layer.annotations, [annotation.diffId]: 'x' } }] },
    // It claims that another layer's bytes are these.
    {
      ...manifest,
      layers: [
        { ...layer, annotations: { ...layer.annotations, [annotation.layer]: memoKey(large(), 'gzip') } },
      ],
    },
  ]) {
    const type = 'application/vnd.oci.image.manifest.v1+json'
    await client.putManifest('main', Buffer.from(JSON.stringify(other)), type)
    const image = sampleImage(large(), small())
    const pushed = await desk.push(image)
    assert.deepEqual(
      pushed.layers.map(({ diffId }) => diffId),
      image.layers.map(({ diffId }) => diffId),
    )
    await pullBack(desk, image, 'main')
  }
})

test('of an image for several platforms the one that is pushed again counts', async () => {
  await using desk = await openDesk()
  const mediaType = manifestMediaType
  const { digest } = await desk.push(sampleImage(small(), large()), { tags: [] })
  const manifests = ['arm64', 'amd64'].map(architecture => ({
    ...{ mediaType, digest, size: 1, platform: { os: 'linux', architecture } },
  }))
  const index = { schemaVersion: 2, mediaType: indexType, manifests: manifests.slice(1) }
  await desk.client().putManifest('main', Buffer.from(JSON.stringify(index)), indexType)
  desk.registry.forget()
  assert.equal((await desk.push(gone())).changed, false)
  assert.equal(desk.registry.count({ path: /\/blobs\// }), 0)
})

test('a layer of another image in the same registry is mounted, and made where that cannot be', async () => {
  await using desk = await openDesk({ tokens: login })
  const { memo } = await desk.push(sampleImage(small(), large()))
  const sibling = desk.client({ repository: parseName(`${desk.registry.host}/octo/sibling`) })
  desk.registry.forget()
  const pushed = await desk.push(gone(), { client: sibling, memo })
  assert.deepEqual(
    pushed.layers.map(({ how }) => how),
    ['mounted', 'mounted'],
  )
  assert.equal(desk.registry.count({ method: 'PUT', path: uploads }), 1, 'the config')

  const elsewhere = (repository: string) =>
    new Map(memo.entries().map(([key, layer]) => [key, { ...layer, repository }]))
  for (const [at, repository] of [`${desk.registry.host}/octo/none`, 'ghcr.io/octo/app'].entries()) {
    const third = desk.client({ repository: parseName(`${desk.registry.host}/octo/third-${at}`) })
    const image = sampleImage(small(), large())
    const made = await desk.push(image, { client: third, memo: elsewhere(repository) })
    assert.deepEqual(
      made.layers.map(({ how }) => how),
      ['uploaded', 'uploaded'],
    )
  }
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
  const kept = unreadable(large())
  const fresh = sampleLayer({ name: 'etc/hello', data: 'goodbye\n' })
  const image = sampleImage(fresh, kept)
  const pushed = await desk.push(image, { memo })
  assert.deepEqual(
    pushed.layers.map(({ how }) => how),
    ['uploaded', 'present'],
  )
  assert.equal(pushed.changed, true)
  assert.equal(pushed.uploaded, (pushed.layers[0]?.size ?? 0) + configOf(image).length)
  assert.deepEqual(
    [...pushed.memo.keys()],
    [fresh, kept].map(layer => memoKey(layer, 'gzip')),
  )
  await pullBack(desk, sampleImage(fresh, large()), 'main')
})

test('a layer that the registry has lost, or that the memo has wrong, is made again', async () => {
  await using desk = await openDesk()
  const layers = [small(), large()]
  const first = await desk.push(sampleImage(...layers))
  const [{ digest = '' } = {}, right] = first.layers
  assert.ok(isDigest(digest) && right !== undefined)
  const key = memoKey(layers[1] as Layer, 'gzip')
  const known = first.memo.get(key)
  assert.ok(known)
  const wrong = new Map([...first.memo, [key, { ...known, size: right.size + 1 }]])

  const lost = await fetch(`http://${desk.registry.host}/v2/octo/app/blobs/${digest}`, { method: 'DELETE' })
  assert.equal(lost.status, 202)
  const image = sampleImage(...layers, sampleLayer({ name: 'new', data: 'x' }))
  const second = await desk.push(image, { memo: wrong })
  assert.deepEqual(
    second.layers.map(({ how }) => how),
    ['uploaded', 'present', 'uploaded'],
  )
  assert.deepEqual(second.memo.get(key), known)
  await pullBack(desk, image, 'main')
})

test('an image of which the registry has lost a layer is made again when it gets a new tag', async () => {
  await using desk = await openDesk()
  const first = await desk.push(sampleImage(small(), large()))
  const [{ digest = '' } = {}] = first.layers
  const lost = await fetch(`http://${desk.registry.host}/v2/octo/app/blobs/${digest}`, { method: 'DELETE' })
  assert.equal(lost.status, 202)
  const published: string[] = []
  const image = sampleImage(small(), unreadable(large()))
  const again = await desk.push(image, {
    ...{ memo: first.memo, tags: ['main', 'new'] },
    onPublished: ({ digest }) => void published.push(digest),
  })
  assert.deepEqual([again.digest, again.changed, again.tagged], [first.digest, false, ['new']])
  assert.deepEqual(published, [first.digest])
  assert.deepEqual(
    again.layers.map(({ how }) => how),
    ['uploaded', 'present'],
  )
  assert.equal(again.uploaded, again.layers[0]?.size)
  await pullBack(desk, sampleImage(small(), large()), 'new')
})

test('an image is known to be published before it is tagged', async () => {
  await using desk = await openDesk()
  desk.registry.fault({ method: 'PUT', path: /manifests\/main$/, status: 403 })
  const published: string[] = []
  await desk.refusal(sampleImage(small()), { onPublished: ({ digest }) => void published.push(digest) })
  const [digest = ''] = published
  assert.equal((await desk.client().headManifest(digest))?.digest, digest)
})

test('what decides the bytes of a layer decides its memo', () => {
  const layer = small()
  const keys = [
    memoKey(layer, 'gzip'),
    memoKey(layer, 'gzip', 9),
    memoKey(layer, 'zstd'),
    memoKey(layer, 'zstd', 6),
    memoKey(large(), 'gzip'),
  ]
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(memoKey(layer, 'gzip', 6), memoKey(layer, 'gzip'))
  assert.equal(memoKey(layer, 'zstd', 3), memoKey(layer, 'zstd'))
})

test('the digest depends on content only, not on how and when a layer is read', async () => {
  await using desk = await openDesk()
  const program = (await readFile(process.execPath)).subarray(40_000_000)
  for (const compression of ['gzip', 'zstd'] as const) {
    for (const data of ['hello', program.subarray(0, 100_000), program.subarray(0, 2 * 1024 ** 2 - 1536)]) {
      const layer = sampleLayer({ name: 'bin/program', data })
      const digests = new Set<string>()
      const tar = await readFile(String(layer.source.file))
      for (const source of [
        layer.source,
        sampleFile(gzipSync(tar), 'gzip'),
        sampleFile(gzipSync(tar, { level: 1 }), 'gzip'),
        sampleFile(zstdCompressSync(tar), 'zstd'),
      ]) {
        const { digest } = await desk.push(sampleImage({ ...layer, source }), { compression, tags: [] })
        digests.add(digest)
      }
      assert.equal(digests.size, 1, `${compression}, ${layer.size} bytes`)
    }
  }
})

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
  assert.equal(pushed.size, configOf(image).length)
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
  const layers = [1, 2, 3, 4, 5, 6, 7, 8].map(seed => sampleLayer({ name: 'a', data: noise(1000, seed) }))
  const hold = desk.registry.hold({ method: 'POST', path: uploads })
  const pushing = desk.push(sampleImage(...layers), { concurrency: 1 })
  await hold.reached
  const files = await readdir(desk.scratch, { recursive: true, withFileTypes: true })
  assert.ok(files.filter(file => file.isFile()).length <= 4, 'one that is made, and three that are sent')
  hold.release()
  assert.equal((await pushing).layers.length, 8)
})
