import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { type Sink, spoolArchive } from '../../src/image/archive-file.ts'
import { unpack } from '../../src/image/compression.ts'
import type { Image } from '../../src/image/model.ts'
import { isArchive, openImage } from '../../src/image/open.ts'

import { runStreamScript } from '../../src/image/stream-script.ts'
import { sha256 } from '../../src/util/digest.ts'
import { UserError } from '../../src/util/errors.ts'
import { type Log, silent } from '../../src/util/log.ts'
import { bytesOfLayer } from '../harness/layer.ts'
import { type TarInput, writeTar } from '../harness/tar-writer.ts'

/** Of what these images need nothing. */
const outside = {
  pathInfo: async () => new Map(),
  now: new Date(0),
  platform: { os: 'linux', architecture: 'amd64' },
}

type Options = {
  config?: object
  manifest?: unknown
  layers?: Buffer[]
  packed?: Buffer[]
  more?: TarInput[]
}

const layerOf = (text: string) => writeTar([{ name: 'file', data: text }])
const twoLayers = [layerOf('one'), layerOf('two'.repeat(1000))]

function configOf(layers: Buffer[]) {
  return {
    os: 'linux',
    architecture: 'amd64',
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
  }
}

/** `packed` is what the members hold where that is not the layer as it is. */
function membersOf({
  layers = twoLayers,
  packed = layers,
  config,
  manifest,
  more = [],
}: Options = {}): TarInput[] {
  const names = layers.map((_, i) => `${i}/layer.tar`)
  return [
    ...packed.map((data, i) => ({ name: names[i] ?? '', data })),
    ...more,
    { name: 'config.json', data: JSON.stringify(config ?? configOf(layers), null, 4) },
    {
      name: 'manifest.json',
      data: JSON.stringify(manifest ?? [{ Config: 'config.json', RepoTags: ['x:y'], Layers: names }]),
    },
  ]
}

const archiveOf = (options: Options = {}) => writeTar(membersOf(options))

function machine(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'image-test-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const scratch = join(directory, 'scratch')
  mkdirSync(scratch)
  return {
    directory,
    scratch,
    write(data: string | Buffer, mode = 0o444) {
      const path = join(directory, 'out')
      rmSync(path, { force: true })
      writeFileSync(path, data)
      chmodSync(path, mode)
      return path
    },
    open: (path: string, log: Log = silent) =>
      openImage({ path, scratch, env: { PATH: process.env.PATH ?? '', GREETING: 'hello' }, log, ...outside }),
  }
}

const layersOf = (image: Image) => image.layers.map(bytesOfLayer)

function userError(message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, message)
    assert.doesNotMatch(error.message + error.advice, /image-test-.*scratch.*archive\.tar/)
    return true
  }
}

const forms = [
  ['plain', (bytes: Buffer) => bytes],
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
] as const

for (const [form, pack] of forms) {
  test(`reads a docker archive, ${form}`, async t => {
    const { write, open, scratch } = machine(t)
    const image = await open(write(pack(archiveOf())))
    assert.equal(image.kind, 'docker-archive')
    assert.equal(
      image.config(image.layers.map(({ diffId }) => diffId ?? 'sha256:')).toString(),
      JSON.stringify(configOf(twoLayers), null, 4),
    )
    assert.deepEqual(image.platform, { os: 'linux', architecture: 'amd64' })
    assert.deepEqual(
      image.layers.map(layer => layer.diffId),
      twoLayers.map(sha256),
    )
    assert.deepEqual(
      image.layers.map(layer => layer.size),
      twoLayers.map(layer => layer.length),
    )
    assert.deepEqual(layersOf(image), twoLayers)
    assert.deepEqual(layersOf(image), twoLayers, 'a layer can be read again')
    assert.deepEqual(readdirSync(scratch), [])
    await image.close()
  })

  test(`a layer compressed inside of the archive is told as such, ${form}`, async t => {
    const { write, open } = machine(t)
    const packed = twoLayers.map(layer => pack(layer))
    const image = await open(write(archiveOf({ packed })))
    for (const [i, { source, size }] of image.layers.entries()) {
      assert.ok(source.kind === 'file')
      assert.equal(source.packing, form === 'plain' ? undefined : form)
      assert.equal(source.length, packed[i]?.length)
      assert.ok(size >= source.length)
    }
    assert.deepEqual(layersOf(image), twoLayers)
    await image.close()
  })
}

test('gives back what any archive holds', async t => {
  const { write, open } = machine(t)
  const layer = fc.uint8Array({ maxLength: 3000 }).map(data => writeTar([{ name: 'f', data }]))
  await fc.assert(
    fc.asyncProperty(
      fc.array(layer, { maxLength: 5 }),
      fc.constantFrom(...forms),
      fc.constantFrom(...forms),
      fc.option(fc.constantFrom('v7', 'v8'), { nil: undefined }),
      async (layers, [, pack], [, packLayer], variant) => {
        const config = { ...configOf(layers), architecture: 'arm64', variant }
        const image = await open(
          write(pack(archiveOf({ layers, config, packed: layers.map(each => packLayer(each)) }))),
        )
        assert.deepEqual(image.platform, {
          os: 'linux',
          architecture: 'arm64',
          ...(variant ? { variant } : {}),
        })
        assert.deepEqual(layersOf(image), layers)
        await image.close()
      },
    ),
    { numRuns: 50 },
  )
})

test('a layer that begins with a name like a magic number is a plain tar', async t => {
  const { write, open } = machine(t)
  const layers = [writeTar([{ name: 'BZh9', data: 'x' }])]
  const image = await open(write(archiveOf({ layers })))
  assert.deepEqual(layersOf(image), layers)
  await image.close()
})

test('follows links from layer to layer, and names with ./', async t => {
  const { write, open } = machine(t)
  const [one, two] = twoLayers as [Buffer, Buffer]
  const layers = [one, two, one, two]
  const image = await open(
    write(
      writeTar([
        { name: './a/layer.tar', data: one },
        { name: './b/layer.tar', data: two },
        { name: './c/layer.tar', flag: '2', linkName: '../a/layer.tar' },
        { name: './d/layer.tar', flag: '1', linkName: './b/layer.tar' },
        { name: './config.json', data: JSON.stringify(configOf(layers)) },
        {
          name: './manifest.json',
          data: JSON.stringify([
            { Config: 'config.json', Layers: ['a/layer.tar', 'b/layer.tar', 'c/layer.tar', 'd/layer.tar'] },
          ]),
        },
      ]),
    ),
  )
  assert.deepEqual(layersOf(image), layers)
  await image.close()
})

test('refuses an archive that is not one whole image', async t => {
  const { write, open } = machine(t)
  const refused = async (options: Options, message: RegExp) =>
    await assert.rejects(open(write(archiveOf(options))), userError(message))
  const one = { Config: 'config.json', Layers: ['0/layer.tar', '1/layer.tar'] }

  await refused({ manifest: [] }, /it holds 0 images and should hold one/)
  await refused({ manifest: [one, one] }, /it holds 2 images and should hold one/)
  await refused({ manifest: {} }, /"manifest\.json": the whole: .*array/)
  await refused({ manifest: [{ Layers: [] }] }, /"manifest\.json": 0\.Config: /)
  await refused({ manifest: [{ ...one, Config: 'nowhere.json' }] }, /it has no "nowhere\.json"/)
  await refused({ manifest: [{ ...one, Config: `\n::x::${'y'.repeat(1e6)}` }] }, /no "\\n::x::y{94}…"\.$/)
  await refused({ manifest: [{ ...one, Config: '../../etc/passwd' }] }, /it has no "\.\.\/\.\.\/etc\/passwd"/)
  await refused({ manifest: [{ ...one, Layers: ['0/layer.tar', 'gone'] }] }, /it has no layer "gone"/)
  await refused({ manifest: [{ ...one, Layers: ['0/layer.tar'] }] }, /manifest has 1 layers and its config 2/)
  await refused({ manifest: [{ ...one, Layers: Array(1001).fill('0/layer.tar') }] }, /Layers: .*1000/)
  await refused({ config: { os: 'linux' } }, /"config\.json": architecture: /)
  await refused(
    { config: { ...configOf([]), rootfs: { diff_ids: ['sha256:abc', 'md5:x'] } } },
    /diff_ids\.0: is not a sha256 digest/,
  )
  await refused({ more: [{ name: '0/layer.tar', flag: '5' }] }, /it has no layer "0\/layer\.tar"/)
  await refused(
    { more: [{ name: '0/layer.tar', flag: '2', linkName: 'layer.tar' }] },
    /it has no layer "0\/layer\.tar"/,
  )
  await refused({ more: [{ name: '0/layer.tar', flag: '2', linkName: '/etc/passwd' }] }, /it has no layer/)
  await refused(
    { packed: [Buffer.from('fd377a585a0000', 'hex')] },
    /layer "0\/layer\.tar" .* compressed with xz/,
  )
  const blank = ' '.repeat(8 * 1024 * 1024)
  await refused(
    { more: [{ name: 'big', data: blank }], manifest: [{ ...one, Config: 'big' }] },
    /"big": it is not JSON/,
  )
  await refused(
    { more: [{ name: 'big', data: `${blank} ` }], manifest: [{ ...one, Config: 'big' }] },
    /"big" has 8388609 bytes/,
  )
  await assert.rejects(
    open(write(writeTar([{ name: 'a', data: 'x' }]))),
    userError(/it has no "manifest\.json"/),
  )
})

test('a cut archive is damaged in whatever form, and nothing of it stays', async t => {
  const { write, open, scratch } = machine(t)
  const descriptors = () => readdirSync('/proc/self/fd').length
  const before = descriptors()
  for (const [form, pack] of forms) {
    const bytes = pack(archiveOf())
    for (const length of [Math.floor(bytes.length / 2), bytes.length - (form === 'plain' ? 1024 : 1)])
      await assert.rejects(
        open(write(bytes.subarray(0, length))),
        userError(/^Damaged archive .*\/out: /),
        form,
      )
    assert.deepEqual(readdirSync(scratch), [])
  }
  const frames = zstdCompressSync(archiveOf())
  await assert.rejects(open(write(Buffer.concat([frames, frames]))), userError(/more than one zstd frame/))
  const gzip = gzipSync(archiveOf())
  gzip.writeUInt32LE(gzip.readUInt32LE(gzip.length - 8) ^ 1, gzip.length - 8)
  await assert.rejects(open(write(gzip)), userError(/^Damaged archive .*: it cannot be unpacked \(.*check/))
  assert.equal(descriptors(), before)
})

test('what is no image is refused by what it is', async t => {
  const { directory, write, open } = machine(t)
  const refused = async (path: string, message: RegExp) =>
    await assert.rejects(open(path), userError(message), String(message))

  await refused(join(directory, 'nowhere'), /nowhere does not exist/)
  await refused(write(''), /is not an image: it is an empty file/)
  await refused(write('\x7fELF…'), /a compiled program/)
  await refused(write('hello world'), /begins with the bytes 68656c6c6f20776f\./)
  await refused(write(Buffer.from('fd377a585a000004', 'hex')), /compressed with xz/)
  await refused(write(gzipSync('hello')), /compressed data, but no tar/)
  await refused(write(gzipSync('')), /compressed data, but no tar/)
  await refused(write('#!/bin/sh\n', 0o444), /a script that is not executable/)
  await refused(write('#!/bin/sh\n', 0o555), /a script that writes no tar/)
  await refused(write('\n{"image-config": {}}'), /is not an image: it is JSON of another kind/)

  const layout = join(directory, 'layout')
  mkdirSync(layout)
  await refused(layout, /a directory without oci-layout \(it holds nothing\)/)
  for (const name of ['bin', 'lib', 'share', 'a', 'b', 'c']) mkdirSync(join(layout, name))
  await refused(layout, /a directory without oci-layout \(it holds a, b, bin, c, lib, …\)/)
})

test('runs a script, without arguments, in the environment that was given', async t => {
  const { directory, write, open, scratch } = machine(t)
  const archive = join(directory, 'archive.tar')
  writeFileSync(archive, archiveOf())
  const lines: string[] = []
  const log: Log = { ...silent, debug: line => lines.push(line) }
  const path = write(
    `#!/bin/sh\necho "$GREETING $# $HOME" >&2\nprintf 'no end' >&2\nexec cat ${archive}\n`,
    0o555,
  )
  const image = await open(path, log)
  assert.equal(image.kind, 'stream')
  assert.deepEqual(layersOf(image), twoLayers)
  assert.deepEqual(lines, [`${path}: hello 0 `, `${path}: no end`])
  assert.deepEqual(readdirSync(scratch), [])
  await image.close()
})

test('a script that fails is told with the end of what it said', async t => {
  const { write, open, scratch } = machine(t)
  const failing = write('#!/bin/sh\nfor i in $(seq 100); do echo "line $i" >&2; done\nexit 3\n', 0o555)
  await assert.rejects(open(failing), (error: unknown) => {
    assert.ok(error instanceof UserError)
    assert.match(error.message, /ended with code 3\.$/)
    assert.deepEqual(
      error.detail?.split('\n'),
      Array.from({ length: 20 }, (_, i) => `line ${81 + i}`),
    )
    return true
  })
  await assert.rejects(
    open(write('#!/bin/sh\nkill -9 $$\n', 0o555)),
    userError(/was ended by SIGKILL and said nothing\./),
  )
  await assert.rejects(
    open(write('#!/nix/store/none/bin/python3\n', 0o555)),
    userError(/script .*out could not be started: .*ENOENT/),
  )
  const endless = write("#!/bin/sh\nhead -c 30000000 /dev/zero | tr '\\0' x >&2\nexit 1\n", 0o555)
  await assert.rejects(open(endless), (error: unknown) => {
    assert.ok(error instanceof UserError)
    assert.equal(error.detail, 'x'.repeat(4096))
    return true
  })
  assert.deepEqual(readdirSync(scratch), [])
})

test('a script whose output cannot be taken does not run on', { timeout: 60_000 }, async t => {
  const { write } = machine(t)
  const path = write('#!/bin/sh\nexec sleep 1000\n', 0o555)
  const sink = async () => {
    throw new Error('no room')
  }
  await assert.rejects(runStreamScript(path, sink, { env: { PATH: process.env.PATH ?? '' }, log: silent }), {
    message: 'no room',
  })
})

test('a large layer is not read to open its image', async t => {
  const { directory, open } = machine(t)
  const layer = Buffer.alloc(64 * 1024 * 1024)
  writeFileSync(join(directory, 'archive'), archiveOf({ layers: [layer] }))
  const before = process.memoryUsage().arrayBuffers
  const image = await open(join(directory, 'archive'))
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 * 1024 * 1024)
  assert.deepEqual(layersOf(image).map(sha256), [image.layers[0]?.diffId])
  await image.close()
})

test('an archive without end is bounded, and leaves room on the disk', async t => {
  const { scratch } = machine(t)
  const block = Buffer.alloc(2 ** 20)
  async function* endless() {
    for (;;) yield block
  }
  const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20))
  const producers = [
    (sink: Sink) => sink(endless()),
    (sink: Sink) => sink(unpack(Readable.from([bomb]), 'gzip')),
  ]
  for (const produce of producers) {
    await assert.rejects(
      spoolArchive(produce, { name: 'x', scratch, limits: { most: 40 * 2 ** 20, reserve: 0 } }),
      userError(/^The image x unpacks to more than 40\.0 MiB\.$/),
    )
    await assert.rejects(
      spoolArchive(produce, { name: 'x', scratch, limits: { most: 2 ** 50, reserve: 2 ** 60 } }),
      userError(/^The disk is full: .*scratch has no room for the unpacked image x\.$/),
    )
    assert.deepEqual(readdirSync(scratch), [])
  }
})

test('a document with millions of wrong items is refused at once', async t => {
  const { write, open } = machine(t)
  for (const manifest of [
    `[${'1,'.repeat(4e6)}1]`,
    `[{"Config":"config.json","Layers":[${'1,'.repeat(4e6 - 50)}1]}]`,
  ])
    await assert.rejects(
      open(write(writeTar([{ name: 'manifest.json', data: manifest }]))),
      userError(/"manifest\.json": .*Too big/),
    )
})

test('whether it is an archive is not read from outside of the store', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'linked-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [store, secret] = [join(folder, 'store'), join(folder, 'secret')]
  mkdirSync(store)
  writeFileSync(secret, 'secret')
  for (const [name, target] of [
    ['file', secret],
    ['device', '/dev/zero'],
  ] as const) {
    symlinkSync(target, join(store, name))
    await assert.rejects(isArchive(join(store, name)), /is outside of .*store/)
  }
  writeFileSync(join(store, 'archive'), 'text')
  symlinkSync('archive', join(store, 'link'))
  assert.equal(await isArchive(join(store, 'link')), true)
})
