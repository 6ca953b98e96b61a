import assert from 'node:assert/strict'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { repository } from '../../script/parts/paths.ts'
import { sha256 } from '../../src/util/digest.ts'
import { imageStore } from '../harness/image-store.ts'
import { bytesOfLayer } from '../harness/layer.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { skopeo } from '../harness/skopeo.ts'
import { writeTar } from '../harness/tar-writer.ts'

const unavailable = Machine.unavailable()

test('an OCI layout that skopeo wrote is the image that it was made from', async t => {
  const store = imageStore(t)
  const layers = ['one', 'two'].map(data => writeTar([{ name: 'file', data }]))
  const config = JSON.stringify({
    ...{ os: 'linux', architecture: 'amd64', config: { Env: ['A=1'] } },
    rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
  })
  const archive = store.plant(
    'archive.tar',
    writeTar([
      ...layers.map((data, i) => ({ name: `${i}/layer.tar`, data })),
      { name: 'config.json', data: config },
      {
        name: 'manifest.json',
        data: JSON.stringify([
          { Config: 'config.json', RepoTags: ['x:y'], Layers: ['0/layer.tar', '1/layer.tar'] },
        ]),
      },
    ]),
  )
  for (const [kind, name] of [
    ['oci', 'layout'],
    ['oci-archive', 'layout.tar'],
  ] as const) {
    const to = `${kind}:${join(store.store, name)}:latest`
    const copied = await skopeo(store.directory, [
      '--insecure-policy',
      'copy',
      `docker-archive:${archive}`,
      to,
    ])
    assert.equal(copied.code, 0, copied.stderr)
    const image = await store.open(name)
    const manifest = JSON.parse((await skopeo(store.directory, ['inspect', '--raw', to])).stdout)
    const written = (await skopeo(store.directory, ['inspect', '--raw', '--config', to])).stdout
    assert.equal(image.config([]).toString(), written)
    assert.deepEqual(
      image.layers.map(({ blob }) => blob),
      manifest.layers,
    )
    assert.deepEqual(image.layers.map(bytesOfLayer), layers)
    await image.close()
  }
})

suite('image', { skip: unavailable ?? false }, () => {
  test('a full disk ends in plain words and is as empty afterwards as before', async () => {
    await using machine = await Machine.create({ user: 'root' })
    await expect(machine.run(['mkdir', '/tmp/small']))
    await expect(machine.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', '/tmp/small']))
    await machine.plant('/tmp/endless', '#!/bin/sh\nexec cat /dev/zero\n', 0o555)
    await machine.plant('/tmp/large.tar.gz', gzipSync(Buffer.alloc(16 * 1024 * 1024)))
    const free = ['stat', '-f', '-c', '%f', '/tmp/small']
    const before = await expect(machine.run(free))
    const driver = join(repository, '__tests__/contract/drivers/open-image.ts')

    for (const path of ['/tmp/endless', '/tmp/large.tar.gz']) {
      const opened = JSON.parse(await expect(machine.run([process.execPath, driver, path, '/tmp/small'])))
      assert.equal(opened.error, `The disk is full: /tmp/small has no room for the unpacked image ${path}.`)
      assert.match(opened.advice, /Free space there/)
      assert.deepEqual(opened.left, [])
      assert.equal(await expect(machine.run(free)), before)
    }
    assert.doesNotMatch(await expect(machine.run(['ps', '-A', '-o', 'args'])), /dev\/zero/)
  })
})
