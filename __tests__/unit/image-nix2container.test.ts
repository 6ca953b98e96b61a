import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { sha256 } from '../../src/util/digest.ts'
import { imageStore } from '../harness/image-store.ts'
import { bytesOfLayer, bytesOfPart } from '../harness/layer.ts'

const fixtures = new URL('../fixtures/nix2container/', import.meta.url)
const recorded = (name: string) => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8'))
type Described = {
  digest: string
  diff_ids: string
  size: number
  mediatype: string
  [more: string]: unknown
}
const images: Record<string, { layers: Described[] | null }> = recorded('images.json')
const configs: Record<string, string> = recorded('configs.json')

const tar = 'application/vnd.oci.image.layer.v1.tar'
const digest = sha256('one')
const layer: Described = { digest, diff_ids: digest, size: 10, mediatype: tar, History: {} }

function machine(t: TestContext) {
  const store = imageStore(t)
  const write = (image: object) => {
    store.plant('image.json', JSON.stringify(image).replaceAll('@STORE@', store.store))
    return 'image.json'
  }
  const withLayers = (...layers: object[]) => ({ version: 1, 'image-config': {}, layers, arch: 'amd64' })
  return {
    ...{ ...store, withLayers },
    open: (image: object) => store.open(write(image)),
    refused: (image: object, message: RegExp) => store.refused(write(image), message),
  }
}

for (const [name, image] of Object.entries(images)) {
  test(`nix2container: the config is what it writes itself: ${name}`, async t => {
    const opened = await machine(t).open(image)
    assert.equal(opened.kind, 'nix2container')
    const diffIds = opened.layers.map(({ diffId }) => diffId ?? 'sha256:')
    assert.deepEqual(
      diffIds,
      (image.layers ?? []).map(layer => layer.diff_ids),
    )
    assert.equal(opened.config(diffIds).toString(), configs[name])
    await opened.close()
  })
}

test('nix2container: a layer of paths is known before it is archived', async t => {
  const { open, withLayers, store } = machine(t)
  const perms = [{ regex: '.*', mode: '0600', uid: 1, gid: 2, uname: 'u', gname: 'g' }]
  const image = await open(
    withLayers({
      ...layer,
      paths: [
        { path: '@STORE@/one' },
        { path: '@STORE@/two', options: { rewrite: { regex: '^@STORE@/two', repl: '' } } },
        { path: '@STORE@/three', options: { rewrite: { regex: '', repl: '' }, perms } },
      ],
    }),
  )
  assert.deepEqual(image.platform, { os: 'linux', architecture: 'amd64' })
  assert.deepEqual(image.layers, [
    {
      ...{ key: digest, diffId: digest, size: 10 },
      source: {
        kind: 'nix2container',
        paths: [
          { path: `${store}/one` },
          { path: `${store}/two`, options: { rewrite: { regex: `^${store}/two`, repl: '' }, perms: [] } },
          { path: `${store}/three`, options: { rewrite: { regex: '', repl: '' }, perms } },
        ],
      },
    },
  ])
})

test('nix2container: layers of base images are sent as they are, others that are files are packed', async t => {
  const { open, plant, withLayers } = machine(t)
  const content = Buffer.from('a tar')
  const packed = gzipSync(content)
  plant('base/packed', packed)
  plant('base/plain', content)
  const base = { ...layer, digest: sha256(packed), diff_ids: sha256(content), size: 0 }
  const image = await open(
    withLayers(
      { ...base, mediatype: `${tar}+gzip`, 'layer-path': '@STORE@/base/packed' },
      {
        ...base,
        mediatype: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        'layer-path': '@STORE@/base/packed',
      },
      {
        ...layer,
        digest: sha256(content),
        diff_ids: sha256(content),
        size: 5,
        'layer-path': '@STORE@/base/plain',
      },
    ),
  )
  const blob = { mediaType: `${tar}+gzip`, digest: sha256(packed), size: packed.length }
  assert.deepEqual(
    image.layers.map(({ blob }) => blob),
    [blob, blob, undefined],
  )
  for (const each of image.layers) {
    assert.equal(each.key, sha256(content))
    assert.deepEqual(bytesOfLayer(each), content)
    assert.ok(each.source.kind === 'file')
    if (each.blob) assert.equal(sha256(bytesOfPart(each.source)), each.blob.digest)
  }
})

test('nix2container: what lies is refused by what is wrong', async t => {
  const { refused, withLayers, plant, directory, store } = machine(t)
  const one = (changes: object, message: RegExp) =>
    refused(withLayers(layer, { ...layer, ...changes }), message)
  await refused({ ...withLayers(), version: 2 }, /image\.json cannot be used: version: /)
  await refused({ ...withLayers(), arch: undefined }, /arch: /)
  await refused({ ...withLayers(), created: 'today' }, /created: is not a time/)
  await refused({ ...withLayers(), 'image-config': { Env: 'A' } }, /image-config\.Env: /)
  await refused(withLayers(...Array(1001).fill(layer)), /layers: .*1000/)
  await one({ digest: 'sha256:abc' }, /layers\.1\.digest: is not a sha256 digest/)
  await one({ size: -1 }, /layers\.1\.size: /)
  await one({ digest: sha256('two') }, /layers\.1: its digest is not its diffID/)
  await one({ paths: [{ path: 'github:o/r' }] }, /layers\.1: "github:o\/r" is not a path in the store/)
  await one({ paths: [{ path: '/etc' }] }, /layers\.1: "\/etc" is not a path in the store/)
  await one({ paths: [{ path: '@STORE@/one/../../secret' }] }, /secret" is not a path in the store/)

  const secret = join(directory, 'secret')
  writeFileSync(secret, 'secret')
  plant('plain', 'a tar')
  symlinkSync(secret, join(store, 'link'))
  symlinkSync('loop', join(store, 'loop'))
  mkdirSync(join(store, 'folder'))
  await one({ 'layer-path': secret }, /secret" is outside of .*\/store/)
  await one({ 'layer-path': '@STORE@/link' }, /link" is outside of .*\/store/)
  await one({ 'layer-path': '@STORE@/loop' }, /loop" does not exist/)
  await one({ 'layer-path': '@STORE@/folder' }, /folder" is not a file/)
  await one({ 'layer-path': '@STORE@/plain', size: 6 }, /its file has 5 bytes and should have 6/)
  await one({ 'layer-path': '@STORE@/plain', mediatype: 'text/plain' }, /its media type is "text\/plain"/)
  await one({ 'layer-path': '@STORE@/plain', mediatype: 'constructor' }, /its media type is "constructor"/)
  await one(
    { 'layer-path': '@STORE@/plain', size: 5, digest: sha256('a tar') },
    /its digest is not its diffID/,
  )
})
