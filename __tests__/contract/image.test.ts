import assert from 'node:assert/strict'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { repository } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'

const unavailable = Machine.unavailable()

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
