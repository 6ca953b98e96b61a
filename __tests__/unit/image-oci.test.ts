import assert from 'node:assert/strict'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { type Digest, sha256 } from '../../src/util/digest.ts'
import { type ImageStore, imageStore } from '../harness/image-store.ts'
import { bytesOfLayer, bytesOfPart } from '../harness/layer.ts'
import { type TarInput, writeTar } from '../harness/tar-writer.ts'

const oci = 'application/vnd.oci.image'
const docker = 'application/vnd.docker'

type Files = Map<string, Buffer>
type Descriptor = { mediaType: string; digest: Digest; size: number; [more: string]: unknown }

/** Puts a blob into a layout. */
function add(files: Files, mediaType: string, content: Buffer | object, more: object = {}): Descriptor {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
  const digest = sha256(bytes)
  files.set(`blobs/${digest.replace(':', '/')}`, bytes)
  return { mediaType, digest, size: bytes.length, ...more }
}

const [one, two] = [writeTar([{ name: 'file', data: 'one' }]), writeTar([{ name: 'file', data: 'two' }])]
const tars = [one, two]
const configOf = (layers: Buffer[], architecture = 'amd64') => ({
  ...{ os: 'linux', architecture },
  rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
})

/** Puts an image into a layout; `changes` are what its manifest says instead. */
function addImage(
  files: Files,
  {
    layers = tars,
    config = configOf(tars) as object,
    changes = {},
    more = {},
    type = `${oci}.layer.v1.tar`,
  } = {},
): Descriptor {
  const manifest = {
    schemaVersion: 2,
    config: add(files, `${oci}.config.v1+json`, config),
    layers: layers.map(layer => add(files, type, layer)),
    ...changes,
  }
  return add(files, `${oci}.manifest.v1+json`, manifest, more)
}

function layout(fill: (files: Files) => Descriptor[]): Files {
  const files: Files = new Map([['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')]])
  const index = { schemaVersion: 2, manifests: fill(files) }
  return files.set('index.json', Buffer.from(JSON.stringify(index)))
}

const tarOf = (files: Files, more: readonly TarInput[] = []) =>
  writeTar([...[...files].map(([name, data]) => ({ name: `./${name}`, data })), ...more])

const forms: readonly (readonly [string, (store: ImageStore, files: Files) => void])[] = [
  [
    'directory',
    (store, files) => {
      rmSync(join(store.store, 'out'), { recursive: true, force: true })
      for (const [name, data] of files) store.plant(`out/${name}`, data)
    },
  ],
  ['tar', (store, files) => store.plant('out', tarOf(files))],
  ['gzip', (store, files) => store.plant('out', gzipSync(tarOf(files)))],
  ['zstd', (store, files) => store.plant('out', zstdCompressSync(tarOf(files)))],
]

function machine(t: TestContext, [, write] = forms[1] as (typeof forms)[number]) {
  const store = imageStore(t)
  return {
    ...store,
    open: (files: Files) => {
      write(store, files)
      return store.open('out')
    },
    refused: (files: Files, message: RegExp) => {
      write(store, files)
      return store.refused('out', message)
    },
  }
}

for (const form of forms) {
  test(`OCI layout: reads the image of a ${form[0]}`, async t => {
    const { open } = machine(t, form)
    const packed = { gzip: gzipSync(one), zstd: zstdCompressSync(two) }
    const config = { ...configOf([...tars, ...tars]), variant: 'v2', '10': 1, '9': 2 }
    const files = layout(files => [
      addImage(files, {
        config,
        changes: {
          layers: [
            add(files, `${oci}.layer.v1.tar+gzip`, packed.gzip),
            add(files, `${oci}.layer.v1.tar+zstd`, packed.zstd),
            add(files, `${docker}.image.rootfs.diff.tar.gzip`, packed.gzip),
            add(files, `${docker}.image.rootfs.diff.tar`, two),
          ],
        },
      }),
    ])
    const image = await open(files)
    assert.equal(image.kind, 'oci-layout')
    assert.equal(image.config([]).toString(), JSON.stringify(config))
    assert.deepEqual(image.platform, { os: 'linux', architecture: 'amd64', variant: 'v2' })
    assert.deepEqual(image.layers.map(bytesOfLayer), [...tars, ...tars])
    assert.deepEqual(
      image.layers.map(({ diffId, key }) => [diffId, key]),
      [...tars, ...tars].map(tar => [sha256(tar), sha256(tar)]),
    )
    // As the registry takes it: nothing is to be packed again, but for what is not packed at all.
    assert.deepEqual(
      image.layers.map(({ blob }) => blob?.mediaType),
      [`${oci}.layer.v1.tar+gzip`, `${oci}.layer.v1.tar+zstd`, `${oci}.layer.v1.tar+gzip`, undefined],
    )
    for (const { blob, source } of image.layers) {
      assert.ok(source.kind === 'file')
      if (blob) assert.deepEqual([blob.digest, blob.size], [sha256(bytesOfPart(source)), source.length])
    }
    await image.close()
  })
}

test('OCI layout: takes the image of this platform, wherever it is', async t => {
  const { open, refused } = machine(t)
  const platform = (architecture: string) => ({ more: { platform: { os: 'linux', architecture } } })
  const unlike = (architecture: string) => ({
    ...platform(architecture),
    config: configOf(tars, architecture),
  })
  const index = (files: Files, manifests: Descriptor[]) =>
    add(files, `${oci}.index.v1+json`, { schemaVersion: 2, manifests })
  const attestation = (files: Files) =>
    addImage(files, {
      more: { platform: { os: 'unknown', architecture: 'unknown' } },
      config: { is: 'none' },
    })
  const architectureOf = async (files: Files) => {
    const image = await open(files)
    await image.close()
    return image.platform.architecture
  }

  const list = `${docker}.distribution.manifest.list.v2+json`
  const both = layout(files => [
    attestation(files),
    add(files, 'application/octet-stream', Buffer.from('what else there is')),
    index(files, [addImage(files, unlike('arm64')), addImage(files, unlike('s390x'))]),
    add(files, list, { schemaVersion: 2, manifests: [addImage(files, unlike('amd64'))] }),
  ])
  assert.equal(await architectureOf(both), 'amd64')
  assert.equal(
    await architectureOf(layout(files => [attestation(files), addImage(files, unlike('arm64'))])),
    'arm64',
  )
  assert.equal(
    await architectureOf(layout(files => [addImage(files, { config: configOf(tars, 'arm') })])),
    'arm',
  )

  await refused(
    layout(() => []),
    /OCI layout .*\/out cannot be used: it holds no image/,
  )
  await refused(
    layout(files => [attestation(files)]),
    /it holds no image/,
  )
  await refused(
    layout(files => [addImage(files, platform('arm64')), addImage(files, platform('arm'))]),
    /it holds 2 images \(for "linux\/arm64, linux\/arm"\) and should hold one for linux\/amd64/,
  )
  await refused(
    layout(files => [addImage(files, platform('amd64')), addImage(files, platform('amd64'))]),
    /it holds 2 images/,
  )
  await refused(
    layout(files => [addImage(files), addImage(files)]),
    /\(for "no platform, no platform"\)/,
  )
})

test('OCI layout: refuses what is damaged, unknown or lies', async t => {
  const { refused } = machine(t)
  const image = (changes: Parameters<typeof addImage>[1], message: RegExp) =>
    refused(
      layout(files => [addImage(files, changes)]),
      message,
    )
  const having = (name: string, content: string) =>
    layout(files => [addImage(files)]).set(name, Buffer.from(content))

  await refused(having('oci-layout', '{"imageLayoutVersion":"2.0.0"}'), /layout has the version "2\.0\.0"/)
  await refused(having('oci-layout', '{}'), /"oci-layout": imageLayoutVersion: /)
  await refused(having('index.json', '[]'), /"index\.json": the whole: /)
  await refused(having('index.json', '{"schemaVersion":1,"manifests":[]}'), /"index\.json": schemaVersion: /)
  await refused(having('index.json', ' '.repeat(8 * 2 ** 20 + 1)), /"index\.json" has 8\.0 MiB/)
  const noIndex = layout(files => [addImage(files)])
  noIndex.delete('index.json')
  await refused(noIndex, /it has no "index\.json"/)

  const layer = sha256(one)
  const descriptor = { mediaType: `${oci}.layer.v1.tar`, digest: layer, size: 2048 }
  const layers = (...layers: object[]) => ({ changes: { layers } })
  await image(layers(descriptor, { ...descriptor, size: 2047 }), /has 2048 bytes and should have 2047/)
  await image(layers(descriptor, { ...descriptor, digest: sha256('gone') }), /it has no "blobs\/sha256\//)
  await image(
    layers(descriptor, { ...descriptor, digest: 'sha256:../../../etc/passwd' }),
    /layers\.1\.digest: is not/,
  )
  await image(
    layers(descriptor, { ...descriptor, digest: `sha512:${'a'.repeat(128)}` }),
    /layers\.1\.digest: is not/,
  )
  await image(layers(descriptor, descriptor), /its config calls the layer .* sha256:/)
  await image(layers(descriptor), /its manifest has 1 layer and its config 2/)
  await image(layers(...Array(10_000).fill(descriptor)), /layers: .*1000/)
  for (const type of [
    `${docker}.image.rootfs.foreign.diff.tar.gzip`,
    `${oci}.layer.nondistributable.v1.tar+gzip`,
  ])
    await image({ type }, /has the media type ".*", which registries do not take/)
  await image({ type: 'constructor' }, /has the media type "constructor", which is not known/)
  await image({ config: { os: 'linux', rootfs: {} } }, /sha256:[0-9a-f]{64}: architecture: /)
  const helm = { mediaType: 'application/vnd.cncf.helm.config.v1+json', digest: sha256('{}'), size: 2 }
  await image({ changes: { config: helm } }, /it is no container image but "application\/vnd\.cncf\.helm/)
  await image({ changes: { config: { ...helm, size: 2 ** 40 } } }, /it is no container image/)
  await image(
    { changes: { config: { ...helm, mediaType: `${oci}.config.v1+json`, size: 2 ** 40 } } },
    /has 1\.0 TiB, which is much for a document/,
  )

  const changed = layout(files => [addImage(files)])
  for (const [name, bytes] of changed) {
    if (!name.startsWith('blobs/') || bytes[0] !== 0x7b) continue
    const other = Buffer.from(bytes)
    other[other.length - 1] = 0x20
    await refused(new Map(changed).set(name, other), /sha256:[0-9a-f]{64} has the digest sha256:/)
  }

  const nested = (depth: number) =>
    layout(files => {
      let manifests = [addImage(files)]
      for (let i = 0; i < depth; i++)
        manifests = [add(files, `${oci}.index.v1+json`, { schemaVersion: 2, manifests })]
      return manifests
    })
  await refused(nested(4), /its indexes are nested more than 4 deep/)
  await refused(
    layout(files => {
      const manifests = Array(1000).fill(addImage(files))
      const index = add(files, `${oci}.index.v1+json`, { schemaVersion: 2, manifests })
      return Array(1000).fill(index)
    }),
    /it has more than 1000 manifests/,
  )
})

test('OCI layout: links may lead to what else is in the store, and nowhere else', async t => {
  const store = imageStore(t)
  const files = layout(files => [addImage(files)])
  const blob = `blobs/${sha256(one).replace(':', '/')}`
  files.delete(blob)
  forms[0]?.[1](store, files)
  const target = join(store.store, 'out', blob)
  const link = (to: string) => {
    rmSync(target, { recursive: true, force: true })
    symlinkSync(to, target)
  }
  await store.refused('out', /".*\/blobs\/sha256.*" does not exist/)
  link(store.plant('layer', one))
  const image = await store.open('out')
  assert.deepEqual(image.layers.map(bytesOfLayer), tars)

  const secret = join(store.directory, 'secret')
  writeFileSync(secret, one)
  link(secret)
  await store.refused('out', /" is outside of .*\/store/)
  link('/dev/zero')
  await store.refused('out', /" is outside of .*\/store/)
  link(target)
  await store.refused('out', /" does not exist/)
  rmSync(target)
  mkdirSync(target)
  await store.refused('out', /" is not a file/)
})

test('OCI layout: links in a tar are links in that tar', async t => {
  const store = imageStore(t)
  const files = layout(files => [addImage(files)])
  const blob = `blobs/${sha256(one).replace(':', '/')}`
  files.delete(blob)
  const linked = (linkName: string, more: TarInput[] = []) =>
    store.plant('out', tarOf(files, [{ name: blob, flag: '2', linkName }, ...more]))
  linked('../../layer', [{ name: 'layer', data: one }])
  const image = await store.open('out')
  assert.deepEqual(image.layers.map(bytesOfLayer), tars)
  await image.close()
  for (const to of ['/etc/passwd', '../../../../../../etc/passwd', blob, '.']) {
    linked(to)
    await store.refused('out', /it has no "blobs\/sha256/)
  }
})

test('OCI layout: gives back what any holds, in whatever form', async t => {
  const store = imageStore(t)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 5 }),
      fc.constantFrom(...forms),
      async (contents, [, write]) => {
        const layers = contents.map(data => writeTar([{ name: 'f', data }]))
        write(
          store,
          layout(files => [addImage(files, { layers, config: configOf(layers) })]),
        )
        const image = await store.open('out')
        assert.deepEqual(image.layers.map(bytesOfLayer), layers)
        await image.close()
      },
    ),
    { numRuns: 40 },
  )
})
