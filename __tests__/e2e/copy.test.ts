import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import { signingKey } from '../harness/binary-cache.ts'
import {
  findLeaks,
  placeOfArguments,
  placeOfFolder,
  placeOfMachine,
  placesOfStep,
  plantSecret,
} from '../harness/leaks.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand, plainConfig } from '../harness/nix-by-hand.ts'
import { plantSsh, sshKeyPair, sshUnavailable, startSshd } from '../harness/sshd.ts'
import { byNight } from '../harness/thorough.ts'
import { actionFolder, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
after(() => world[Symbol.asyncDispose]())

const namesIn = (text: string) =>
  [...text.matchAll(/^StorePath: \/nix\/store\/[0-9a-z]{32}-(.*)$/gm)].map(([, name]) => name ?? '')

async function narinfos(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter(name => name.endsWith('.narinfo'))
  return await Promise.all(files.map(name => readFile(join(folder, name), 'utf8')))
}

describe('copy-to a folder', () => {
  const to = '/srv/binary-cache'
  const key = signingKey('sample-1')
  const url = `file://${to}?secret-key=/srv/key`
  const prepare = async (given: Readonly<Record<string, string>>) =>
    await world.prepare({
      machine: { files: { '/srv/key': key.secret } },
      with: { 'copy-to': url, 'cache-scope': 'folder', ...given },
    })

  test('gets what was built and what that refers to, signed, and not the image archive', async () => {
    await using prepared = await prepare({ image: '.#image', warm: '.#image-stream' })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const infos = await narinfos(prepared.machine.path(to))
    const names = infos.flatMap(namesIn).sort()
    assert.ok(names.includes('busybox') && names.includes('stream-busybox'), String(names))
    assert.ok(!names.some(name => name.startsWith('docker-image')), String(names))
    for (const info of infos) assert.match(info, /^Sig: sample-1:/m)
    const { copy, push } = JSON.parse(main.outputs.metadata ?? '').details
    assert.deepEqual(copy, { to: url, paths: infos.length })
    assert.match(main.summary, /\| Copied \| \d+ paths to/)
    assert.match(main.summary, /\ncopy +[\d.]+ s +[█▌▐]+\n/)
    assert.ok(push.digest)

    // The destination has all of it by now.
    const again = await prepared.main()
    assert.equal(again.code, 0, again.log)
    assert.equal(JSON.parse(again.outputs.metadata ?? '').details.copy.paths, 0)
    assert.match(again.summary, /\| Copied \| nothing new to/)
    assert.equal((await prepared.post()).code, 0)
  })

  test('what comes from our own cache was built by an earlier run, and is sent too', async () => {
    await using prepared = await prepare({ image: '', warm: '.#busybox' })
    const main = await prepared.main()
    assert.equal(main.outputs.cache, 'hit', main.log)
    assert.deepEqual((await narinfos(prepared.machine.path(to))).flatMap(namesIn), ['busybox'])
  })

  test('a failure fails the step in words, before anything is pushed', async () => {
    world.registry.forget()
    await using prepared = await prepare({ 'copy-to': 'file:///proc/none', image: '.#image-stream' })
    const main = await prepared.main()
    assert.notEqual(main.code, 0)
    assert.match(
      main.errors[0]?.message ?? '',
      /^What was built could not be copied to file:\/\/\/proc\/none\. Nothing was pushed\./,
    )
    assert.match(main.summary, /nothing was published/)
    assert.match(main.outputs['out-path'] ?? '', /stream-busybox/)
    assert.ok(!world.registry.requests.some(({ method }) => method === 'PUT'))
    assert.equal((await prepared.post()).code, 0)
  })
})

test('S3 gets it with the keys of the environment, which evaluation and builds do not see', async () => {
  const objects = new Map<string, number>()
  const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const bucket = createHttpServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://s3')
    let size = 0
    for await (const chunk of request) size += chunk.length
    if (request.method === 'PUT') {
      objects.set(pathname, size)
      reached.resolve()
      await go.promise
    }
    response.writeHead(request.method === 'PUT' || objects.has(pathname) ? 200 : 404).end()
  })
  await new Promise<void>(done => bucket.listen(0, '127.0.0.1', done))
  const { port } = bucket.address() as AddressInfo
  const secret = plantSecret()
  await using prepared = await world.prepare({
    env: { AWS_ACCESS_KEY_ID: 'AKIDSAMPLE', AWS_SECRET_ACCESS_KEY: secret },
    with: {
      ...{ image: '', warm: '.#seen', 'nix-args': '--impure', cache: 'false' },
      'copy-to': `s3://bucket?endpoint=http://127.0.0.1:${port}&scheme=http&region=us-east-1`,
    },
    async change(workspace, machine) {
      const file = machine.path(join(workspace, 'flake.nix'))
      const seen = 'seen = run ("seen-" + builtins.getEnv "AWS_ACCESS_KEY_ID" + "-of-it") ./package.sh { };'
      await writeFile(file, (await readFile(file, 'utf8')).replace('rec {', `rec {\n${seen}`))
    },
  })
  const running = prepared.main()
  await Promise.race([reached.promise, running])
  const script =
    'for p in /proc/[0-9]*; do tr "\\0" " " <$p/cmdline; tr "\\0" "\\n" <$p/environ | grep ^AWS_SECRET; done'
  const processes = (await prepared.machine.run(['sh', '-c', `${script}; true`], { as: 'root' })).stdout
  go.resolve()
  const main = await running
  bucket.closeAllConnections()
  bucket.close()
  assert.equal(main.code, 0, main.log)
  const ofCopy = processes.split('\n').findIndex(line => / copy --to s3:/.test(line))
  assert.match(
    processes.split('\n')[ofCopy] ?? '',
    new RegExp(`AWS_SECRET_ACCESS_KEY=${RegExp.escape(secret)}$`),
  )
  assert.ok(!main.log.includes(secret))
  const names = [...objects.keys()].filter(name => name.endsWith('.narinfo'))
  assert.equal(names.length, 1)
  const found = await prepared.machine.run(['find', '/nix/store', '-maxdepth', '1', '-name', '*-seen-*'])
  assert.match(found.stdout, /-seen--of-it\n/, 'the evaluation saw no key')
  assert.doesNotMatch(found.stdout, /AKIDSAMPLE/)
})

for (const [index, release] of nixRelease().releases.entries()) {
  const skip = sshUnavailable() ?? (Machine.hasUsers() ? index > 0 && byNight : 'there is one user only')

  describe(`copy-to another machine by ssh: Nix ${release.version}`, { skip }, () => {
    test('it gets the paths, and the key leaks nowhere', async () => {
      const client = await sshKeyPair()
      await using there = await Machine.create({
        user: 'runner',
        nix: 'user',
        files: { '/etc/nix/nix.conf': plainConfig },
      })
      const env = await installByHand(there, release)
      const sshd = await startSshd(there, { authorized: client.public, path: env.PATH ?? '' })
      const pinned = Buffer.from(sshd.host.public.trim()).toString('base64')
      const at = `ssh-ng://runner@127.0.0.1:${sshd.port}`
      // With the host's key in the URL; and taken as it is, for who does not know it.
      const url = index === 0 ? `${at}?base64-ssh-public-host-key=${encodeURIComponent(pinned)}` : at

      const since = new Date()
      await using prepared = await world.prepare({
        release,
        trace: true,
        with: {
          image: '',
          warm: '.#busybox',
          'copy-to': url,
          'ssh-key': client.secret,
          'cache-scope': release.version,
        },
      })
      await plantSsh(prepared.machine)
      const main = await prepared.main()
      assert.equal(main.code, 0, `${main.log}\n${sshd.log()}`)
      assert.equal(JSON.parse(main.outputs.metadata ?? '').details.copy.paths, 1)
      const path = await outPath(prepared)
      await expect(there.run(['nix-store', '--check-validity', path], { env }))
      assert.equal(
        await expect(there.run(['ls', join(path, 'bin/busybox')], { env })),
        `${join(path, 'bin/busybox')}\n`,
      )
      const left = await expect(prepared.machine.run(['find', prepared.job.temp, '-name', 'ssh-key']))
      assert.equal(left, '', 'the key is gone as soon as it was used')
      const end = await prepared.job.end()
      const [post] = end.posts
      assert.ok(post)
      const body = client.secret.split('\n')[2] ?? ''
      const secrets = { 'ssh key': body, 'first line of the key': client.secret.split('\n')[1] ?? '' }
      const places = [
        ...placesOfStep('main', main),
        ...placesOfStep('post', post),
        placeOfArguments(end),
        await placeOfFolder('cache', world.cache.directory),
        await placeOfMachine(prepared.machine, since),
      ]
      assert.deepEqual(await findLeaks(secrets, places), [])
      assert.match(end.executed, /"ssh"/, 'arguments of ssh were recorded')
    })

    test('a key that is not allowed, a host with another key, a port where nobody is: each in its words', async () => {
      const [client, other] = [await sshKeyPair(), await sshKeyPair()]
      await using there = await Machine.create({
        user: 'runner',
        nix: 'user',
        files: { '/etc/nix/nix.conf': plainConfig },
      })
      const env = await installByHand(there, release)
      const sshd = await startSshd(there, { authorized: client.public, path: env.PATH ?? '' })
      const wrong = encodeURIComponent(Buffer.from(other.public.trim()).toString('base64'))
      const at = `ssh-ng://runner@127.0.0.1:${sshd.port}`
      const rows: [string, string, RegExp][] = [
        [at, other.secret, /ssh-key must be the private half/],
        [
          `${at}?base64-ssh-public-host-key=${wrong}`,
          client.secret,
          /has another key than the one that is known/,
        ],
        ['ssh-ng://runner@127.0.0.1:1', client.secret, /Check the host and the port/],
        [`${at}?remote-program=/nowhere/nix-daemon`, client.secret, /What was built could not be copied/],
      ]
      await using prepared = await world.prepare({
        release,
        with: { image: '', warm: '.#busybox', cache: 'false' },
      })
      await plantSsh(prepared.machine)
      for (const [url, key, expected] of rows) {
        const inputs = { ...prepared.with, 'copy-to': url, 'ssh-key': key }
        const step = await prepared.job.uses({ action: actionFolder, with: inputs })
        assert.notEqual(step.code, 0, step.log)
        assert.match(step.errors[0]?.message ?? '', expected, step.log)
        const left = await expect(prepared.machine.run(['find', prepared.job.temp, '-name', 'ssh-key']))
        assert.equal(left, '', 'no key is left behind')
      }
    })

    test('a step that is killed while it copies leaves no key once post has run', async () => {
      const { secret } = await sshKeyPair()
      const held = Promise.withResolvers<void>()
      // Takes the connection and never says a word.
      const mute = createServer(() => held.resolve())
      await new Promise<void>(done => mute.listen(0, '127.0.0.1', done))
      const { port } = mute.address() as AddressInfo
      await using prepared = await world.prepare({ release, with: { cache: 'false' } })
      await plantSsh(prepared.machine)
      const step = await prepared.job.startUses({
        action: actionFolder,
        with: {
          ...prepared.with,
          ...{ image: '', warm: '.#busybox', 'copy-to': `ssh-ng://127.0.0.1:${port}`, 'ssh-key': secret },
        },
      })
      await held.promise
      const keys = () =>
        expect(prepared.machine.run(['find', prepared.job.temp, '-name', 'ssh-key', '-printf', '%m\n']))
      assert.equal(await keys(), '600\n', 'the key is there while it is used, for its user only')
      step.kill()
      await step.done
      assert.equal(await keys(), '600\n')
      await prepared.job.end()
      assert.equal(await keys(), '')
      mute.close()
    })
  })
}

async function outPath(prepared: Awaited<ReturnType<typeof world.prepare>>): Promise<string> {
  const found = await prepared.machine.run(['find', '/nix/store', '-maxdepth', '1', '-name', '*-busybox'])
  return found.stdout.trim()
}
