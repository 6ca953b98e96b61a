import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Machine } from '../harness/machine.ts'
import { openDesk } from '../harness/registry/desk.ts'
import { noise, sampleImage, sampleLayer } from '../harness/registry/sample.ts'

const main = join(import.meta.dirname, '../harness/registry/push-main.ts')

test('a process that is killed leaves the tag as it was, and the next push ends what it began', async () => {
  for (const target of [
    { method: 'PUT', path: /\/blobs\/uploads\// },
    { method: 'PUT', path: /\/manifests\/sha256/ },
    { method: 'PUT', path: /\/manifests\/main/ },
  ]) {
    await using desk = await openDesk()
    const before = await desk.push(sampleImage())
    const hold = desk.registry.hold(target)
    const scratch = join(desk.directory, 'killed')
    await mkdir(scratch)
    const child = spawn(process.execPath, [main, desk.name, scratch], { stdio: 'ignore' })
    const ended = once(child, 'exit')
    await hold.reached
    child.kill('SIGKILL')
    await ended
    assert.equal((await desk.client().headManifest('main'))?.digest, before.digest)
    hold.release()

    const image = sampleImage(sampleLayer({ name: 'a', data: noise(8_000_000) }))
    const after = await desk.push(image)
    assert.notEqual(after.digest, before.digest)
    assert.equal((await desk.client().headManifest('main'))?.digest, after.digest)
  }
})

test('a full disk is said, with where and how much, and is left as full as it was', async () => {
  await using desk = await openDesk()
  await using machine = await Machine.create({ user: 'root', nixSize: '4m' })
  const push = () => machine.run([process.execPath, main, desk.name, '/nix'])
  const { stdout, stderr, code } = await push()
  assert.equal(code, 0, stderr)
  const { message, advice } = JSON.parse(stdout)
  assert.match(message, /^The disk is full: no room in \/nix\/push-\w+ /)
  assert.match(message, /4\.0 MiB are free there, and up to 7\.6 MiB are needed/)
  assert.match(advice, /Free some space/)
  assert.equal((await machine.run(['ls', '-A', '/nix'])).stdout, '')
  assert.equal(desk.registry.count({ method: 'PUT' }), 0)
  assert.deepEqual(await readdir(desk.scratch), [])
})
