import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { parseOrdered, pythonJson, pythonList } from '../../src/image/python.ts'
import { pythonDate } from '../../src/image/python-date.ts'
import { confOfWrapper } from '../../src/image/stream-wrapper.ts'
import { type Digest, sha256 } from '../../src/util/digest.ts'
import { imageStore } from '../harness/image-store.ts'
import { bytesOfLayer } from '../harness/layer.ts'

const fixtures = new URL('../fixtures/stream-layered-image/', import.meta.url)
const recorded = (name: string) => JSON.parse(readFileSync(new URL(name, fixtures), 'utf8'))

type Values = {
  json: [string, string][]
  lists: [string[], string][]
  dates: [string, { iso: string; seconds: number } | null][]
}
const values: Values = recorded('values.json')

type Recorded = { conf: string; files: Record<string, string>; diffIds: Digest[]; config: string }
const images: Record<string, Recorded> = recorded('images.json').images

test('JSON, lists and dates are what Python makes of them', () => {
  assert.ok(values.json.length > 100 && values.lists.length > 100 && values.dates.length > 10)
  for (const [text, expected] of values.json)
    assert.equal(pythonJson(parseOrdered(text, 1e6)), expected, text)
  for (const [list, expected] of values.lists) assert.equal(pythonList(list), expected)
  const now = new Date(0)
  for (const [text, expected] of values.dates) assert.deepEqual(pythonDate(text, now) ?? null, expected, text)
  assert.equal(pythonDate('2023-01-01T00:00:00', now), undefined, 'whose time that is, nobody knows')
  assert.deepEqual(pythonDate('now', new Date(1234)), { iso: '1970-01-01T00:00:01.234000+00:00', seconds: 1 })
  assert.deepEqual(pythonDate('now', new Date(2000)), { iso: '1970-01-01T00:00:02+00:00', seconds: 2 })
})

test('any JSON keeps its meaning', () => {
  fc.assert(
    fc.property(fc.json({ stringUnit: 'binary' }), text => {
      assert.deepEqual(JSON.parse(pythonJson(parseOrdered(text, 1e6))), JSON.parse(text))
    }),
  )
  for (const text of ['', '{', '{"a":1,}', '01', '"a', '{a:1}', '[1] 2', 'NaN', '-', '"\n"'])
    assert.throws(() => parseOrdered(text, 1e6), SyntaxError, text)
})

/** A store in which what the conf names exists. */
function machine(t: TestContext) {
  const store = imageStore(t)
  store.plant('customisation/layer.tar', 'a tar')
  store.plant('customisation/checksum', `${sha256('a tar').slice(7)}\n`)
  const write = (conf: string | object) => {
    const text = typeof conf === 'string' ? conf : JSON.stringify(conf)
    store.plant('name-conf.json', text.replaceAll('@STORE@', store.store))
    return 'name-conf.json'
  }
  return {
    ...store,
    open: (conf: string | object, now?: Date) => store.open(write(conf), now),
    refused: (conf: string | object, message: RegExp) => store.refused(write(conf), message),
  }
}

const conf = {
  architecture: 'amd64',
  config: { Cmd: ['/bin/sh'] },
  created: '1970-01-01T00:00:01+00:00',
  customisation_layer: '@STORE@/customisation',
  from_image: null as string | null,
  store_layers: [['@STORE@/one'], ['@STORE@/two', '@STORE@/three']],
  mtime: '1970-01-01T00:00:01+00:00',
  uid: '0',
  gid: '0',
  uname: 'root',
  gname: 'root',
}

for (const [name, { conf, files, diffIds, config }] of Object.entries(images)) {
  test(`streamLayeredImage: the config is what its script writes: ${name}`, async t => {
    const { open, plant, store } = machine(t)
    for (const [file, data] of Object.entries(files)) plant(file, gunzipSync(Buffer.from(data, 'base64')))
    const image = await open(conf)
    assert.equal(image.kind, 'stream')
    assert.equal(image.config(diffIds).toString(), config.replaceAll('@STORE@', store))
    assert.equal(image.layers.length, diffIds.length)
    for (const [i, layer] of image.layers.entries()) {
      if (layer.source.kind !== 'file') continue
      assert.equal(layer.diffId, diffIds[i])
      assert.equal(sha256(bytesOfLayer(layer)), diffIds[i])
    }
    await image.close()
  })
}

test('streamLayeredImage: its layers are the store paths, in their order', async t => {
  const { open, store } = machine(t)
  const image = await open({ ...conf, mtime: '1970-01-01T00:00:07Z', uid: 5, gname: 'users' })
  assert.deepEqual(image.platform, { os: 'linux', architecture: 'amd64' })
  assert.deepEqual(
    image.layers.map(({ source, size }) => [source, size]),
    [
      [
        {
          kind: 'store',
          layer: { paths: [`${store}/one`], mtime: 7, uid: 5, gid: 0, uname: 'root', gname: 'users' },
        },
        7,
      ],
      [
        {
          kind: 'store',
          layer: {
            paths: [`${store}/two`, `${store}/three`],
            ...{ mtime: 7, uid: 5, gid: 0, uname: 'root', gname: 'users' },
          },
        },
        14,
      ],
      [
        {
          kind: 'file',
          file: `${store}/customisation/layer.tar`,
          ...{ offset: 0, length: 5, packing: undefined },
        },
        5,
      ],
    ],
  )
  assert.deepEqual(
    image.layers.map(({ diffId }) => diffId),
    [undefined, undefined, sha256('a tar')],
  )
  await image.close()
})

test('streamLayeredImage: the key of a layer is all that decides its bytes, and nothing else', async t => {
  const { open, store, narHashes } = machine(t)
  const keys = async (changes: object) => {
    const image = await open({ ...conf, ...changes })
    await image.close()
    return image.layers.map(({ key }) => key)
  }
  const [one, two, last] = await keys({})
  assert.match(one ?? '', /^store-[0-9a-f]{64}$/)
  assert.equal(last, sha256('a tar'))
  assert.notEqual(one, two)
  assert.deepEqual(await keys({ created: '2024-01-01T00:00:00Z', config: {}, architecture: 'arm64' }), [
    one,
    two,
    last,
  ])
  for (const changes of [
    { mtime: '1970-01-01T00:00:02Z' },
    { uid: 1 },
    { gid: 1 },
    { uname: 'x' },
    { gname: 'x' },
  ])
    assert.equal(new Set([one, two, ...(await keys(changes))]).size, 5, JSON.stringify(changes))
  const [, turned] = await keys({ store_layers: [[], ['@STORE@/three', '@STORE@/two']] })
  assert.notEqual(turned, two)
  assert.notDeepEqual(
    await keys({ store_layers: [['@STORE@/three'], ['@STORE@/one']] }),
    await keys({ store_layers: [['@STORE@/two'], ['@STORE@/one']] }),
  )
  narHashes.set(join(store, 'three'), 'sha256-other')
  const [same, changed] = await keys({})
  assert.equal(same, one)
  assert.notEqual(changed, two)
})

test('streamLayeredImage: a conf of before there were owners and an mtime', async t => {
  const { open } = machine(t)
  const { mtime, uid, gid, uname, gname, ...old } = conf
  const [before, after] = [await open({ ...old, created: conf.mtime }), await open(conf)]
  assert.deepEqual(before.layers, after.layers)
})

test('streamLayeredImage: what is created now says so', async t => {
  const { open } = machine(t)
  const image = await open({ ...conf, created: 'now', mtime: 'now' }, new Date(1_700_000_000_123))
  const { created, history } = JSON.parse(image.config([]).toString())
  assert.equal(created, '2023-11-14T22:13:20.123000+00:00')
  assert.equal(history[2].created, created)
  const { source } = image.layers[0] ?? {}
  assert.ok(source?.kind === 'store')
  assert.equal(source.layer.mtime, 1_700_000_000)
})

test('streamLayeredImage: a conf that lies is refused by what is wrong', async t => {
  const { plant, store, directory, ...machineOf } = machine(t)
  const refused = (changes: object, message: RegExp) => machineOf.refused({ ...conf, ...changes }, message)
  await refused({ store_layers: 'x' }, /-conf\.json cannot be used: store_layers: .*array/)
  await refused({ store_layers: [[1]] }, /store_layers\.0\.0: .*string/)
  await refused(
    { store_layers: [['@STORE@/gone']] },
    /store_layers\.0: ".*\/gone" is not a path in the store/,
  )
  for (const path of [
    'github:o/r#x',
    '@STORE@/one\nflake:x',
    '@STORE@/one^out',
    '@STORE@/..',
    '@STORE@/.',
    '.',
    '--all',
  ])
    await refused({ store_layers: [[path]] }, /store_layers\.0: ".*" is not a path in the store/)
  await refused({ store_layers: [['/etc/passwd']] }, /"\/etc\/passwd" is not a path in the store/)
  await refused({ store_layers: Array(10_000).fill([]) }, /store_layers: .*1000/)
  await refused({ store_layers: Array(1000).fill([]) }, /it has 1,001 layers/)
  await refused({ architecture: 7 }, /architecture: .*string/)
  await refused({ config: { Env: 'A=1' } }, /config\.Env: .*array/)
  await refused({ uid: 'root' }, /uid: /)
  await refused({ created: 'yesterday' }, /created: "yesterday" is not a date/)
  await refused({ mtime: '2023-02-30T00:00:00Z' }, /mtime: "2023-02-30T00:00:00Z" is not a date/)
  await refused({ customisation_layer: '@STORE@/gone' }, /customisation_layer: ".*layer\.tar" does not exist/)

  plant('unsigned/layer.tar', 'x')
  for (const checksum of ['', 'no digest', sha256('x').slice(7).padEnd(1e6)]) {
    plant('unsigned/checksum', checksum)
    await refused({ customisation_layer: '@STORE@/unsigned' }, /its checksum is not a sha256 digest/)
  }
  const secret = join(directory, 'secret')
  writeFileSync(secret, 'secret')
  mkdirSync(join(store, 'linked'))
  plant('linked/checksum', sha256('secret').slice(7))
  symlinkSync(secret, join(store, 'linked/layer.tar'))
  await refused({ customisation_layer: '@STORE@/linked' }, /layer\.tar" is outside of .*\/store/)
  rmSync(join(store, 'linked/layer.tar'))
  symlinkSync('layer.tar', join(store, 'linked/layer.tar'))
  await refused({ customisation_layer: '@STORE@/linked' }, /layer\.tar" does not exist/)
  rmSync(join(store, 'linked/layer.tar'))
  mkdirSync(join(store, 'linked/layer.tar'))
  await refused({ customisation_layer: '@STORE@/linked' }, /layer\.tar" is not a file/)

  await refused({ from_image: '@STORE@/gone.tar' }, /from_image: ".*gone\.tar" does not exist/)
  await refused({ from_image: secret }, /from_image: ".*secret" is outside of/)
  await refused({ from_image: plant('text', 'no tar') }, /from_image: ".*text" is not a docker archive/)
})

test('streamLayeredImage: a conf without end or depth is refused', async t => {
  const { refused } = machine(t)
  const text = JSON.stringify({ ...conf, config: 'X' })
  const deep = 2 ** 20
  await refused(
    text.replace('"X"', `{"a": ${'['.repeat(deep)}${']'.repeat(deep)}}`),
    /nested too deeply, or too long/,
  )
  await refused(
    text.replace('"X"', `{"a": ${'['.repeat(800)}${'1,'.repeat(5000)}1${']'.repeat(800)}}`),
    /or too long/,
  )
  await refused(text.replace('"X"', `{"a": "${'x'.repeat(8 * 2 ** 20)}"}`), /JSON of 8\.0 MiB/)
  await refused(text.replace('"X"', ''), /JSON, but it is not JSON/)
})

test('streamLayeredImage: the script of older nixpkgs names the conf, if all that it does is understood', async t => {
  const { plant, store } = imageStore(t)
  const python = '"An image is written."\n'
  const program = plant('abc-stream', `#! /nix/store/x-python3/bin/python3\n${python}`, 0o755)
  const known = new Set([sha256(python)])
  const bash = '#! /nix/store/x-bash-5.2/bin/bash -e\n'
  const line = `exec "${program}"  ${store}/def-conf.json "$@" \n`
  const confOf = (script: string) => confOfWrapper(plant('stream-image', script, 0o755), known)

  assert.equal(await confOf(bash + line), join(store, 'def-conf.json'))
  for (const other of [
    line,
    `${bash}${line}echo more\n`,
    `${bash}export A=1\n${line}`,
    `${bash}exec "${program}" ${store}/def-conf.json --repo_tag x:y "$@"\n`,
    `${bash}exec "${program}" "$@"\n`,
    `${bash}exec "${program}" /tmp/conf.json "$@"\n`,
    `${bash}exec "/tmp/abc-stream" ${store}/def-conf.json "$@"\n`,
    `${bash}exec "${program}" ${store}/../def-conf.json "$@"\n`,
    `${bash}exec "${program}" $(touch${store}/x) "$@"\n`,
    `${bash}exec "${store}/gone" ${store}/def-conf.json "$@"\n`,
    `${bash}exec -a x "${program}" ${store}/def-conf.json "$@"\n`,
    '#!/bin/sh\n',
    '',
  ])
    assert.equal(await confOf(other), undefined, other)
  plant('abc-stream', `#! /nix/store/x-python3/bin/python3\n${python}print()\n`, 0o755)
  assert.equal(await confOf(bash + line), undefined)
})
