import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import { findLeaks, placeOfFolder, placeOfMachine, placesOfStep } from '../harness/leaks.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand, plainConfig } from '../harness/nix-by-hand.ts'
import { plantSsh, sshKeyPair, sshUnavailable, startSshd } from '../harness/sshd.ts'
import { byNight } from '../harness/thorough.ts'
import { World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
after(() => world[Symbol.asyncDispose]())

const skip =
  sshUnavailable() ??
  (process.arch !== 'x64'
    ? 'this machine has one system only'
    : Machine.hasUsers()
      ? false
      : 'there is one user only')

/** A machine that claims to build for ARM. Its kernel runs what it is given, since that is for the real processor. */
async function startBuilder(release: Parameters<typeof installByHand>[1], authorized: string) {
  const config = `${plainConfig}\nextra-platforms = aarch64-linux\ntrusted-users = runner\nsandbox = false\n`
  const machine = await Machine.create({
    user: 'runner',
    nix: 'user',
    files: { '/etc/nix/nix.conf': config },
  })
  const env = await installByHand(machine, release)
  const sshd = await startSshd(machine, { authorized, path: env.PATH ?? '' })
  const hostKey = Buffer.from(sshd.host.public.trim()).toString('base64')
  return { machine, env, sshd, hostKey, [Symbol.asyncDispose]: () => machine.dispose() }
}

for (const [index, release] of nixRelease().releases.entries()) {
  test(`an image is built on another machine: Nix ${release.version}`, {
    skip: skip || (index > 0 && byNight),
  }, async t => {
    const key = await sshKeyPair()
    await using builder = await startBuilder(release, key.public)
    // With the host's key; and taken as it is, for who does not know it.
    const known = index === 0 ? ` - 2 1 - - ${builder.hostKey}` : ''
    const since = new Date()
    await using prepared = await world.prepare({
      release,
      with: {
        image: '.#image-stream',
        systems: 'x86_64-linux aarch64-linux',
        builders: `ssh-ng://runner@127.0.0.1:${builder.sshd.port} aarch64-linux${known}`,
        'ssh-key': key.secret,
        reproducible: 'true',
        // The builder only claims to be another kind of machine: its programs are not for that one.
        'check-ignore': 'architecture',
        'cache-scope': release.version,
        name: `${world.registry.host}/org/built-${index}`,
        cache: 'false',
      },
    })
    await plantSsh(prepared.machine)
    const main = await prepared.main()
    assert.equal(main.code, 0, `${main.log}\n${builder.sshd.log()}`)
    assert.equal(main.outputs.platforms, 'linux/amd64,linux/arm64')
    const [own, other] = (main.outputs['out-path'] ?? '').split('\n')
    // It was really built there, and only that.
    await expect(builder.machine.run(['nix-store', '--check-validity', other ?? ''], { env: builder.env }))
    const there = await builder.machine.run(['nix-store', '--check-validity', own ?? ''], {
      env: builder.env,
    })
    assert.notEqual(there.code, 0)
    assert.match(main.log, /127\.0\.0\.1/)
    assert.match(main.summary, /\| Built \| 4 derivations:/)

    await t.test('built a second time is what this machine can build, and the rest is named', () => {
      const { reproducible } = JSON.parse(main.outputs.metadata ?? '').details
      assert.equal(reproducible.verdict, 'partly')
      const verdicts = reproducible.derivations.map(
        ({ name, verdict }: { name: string; verdict: string }) => `${name} ${verdict}`,
      )
      assert.deepEqual(verdicts.sort(), [
        ...['busybox same', 'busybox skipped', 'stream-busybox same', 'stream-busybox skipped'],
      ])
      assert.equal(main.warnings.filter(({ message }) => /not built a second time/.test(message)).length, 2)
      assert.match(
        main.summary,
        /\*\*not built again here\*\*: <code>stream-busybox<\/code>, <code>busybox<\/code>/,
      )
    })

    assert.match(
      main.summary,
      /\| Trust \| \*\*taken on trust\*\*: 2 builds of <code>ssh-ng:\/\/runner@127\.0\.0\.1<\/code>/,
    )

    await t.test('the key was there only as long', async () => {
      const left = await expect(
        prepared.machine.run([
          'find',
          prepared.job.temp,
          '-name',
          '*builder-key*',
          '-o',
          '-name',
          'machines',
        ]),
      )
      assert.equal(left, '')
      const post = await prepared.post()
      assert.equal(post.code, 0, post.log)
      const secrets = { 'ssh key': key.secret.split('\n')[2] ?? '' }
      const places = [
        ...placesOfStep('main', main),
        ...placesOfStep('post', post),
        await placeOfFolder('cache', world.cache.directory),
        await placeOfMachine(prepared.machine, since),
      ]
      assert.deepEqual(await findLeaks(secrets, places), [])
    })
  })
}

test('a builder that does not let us in: the words name it, and nothing is pushed', { skip }, async () => {
  const [release] = nixRelease().releases
  assert.ok(release)
  const [key, other] = [await sshKeyPair(), await sshKeyPair()]
  await using builder = await startBuilder(release, other.public)
  await using prepared = await world.prepare({
    with: {
      image: '.#image-stream',
      systems: 'aarch64-linux',
      builders: `ssh-ng://runner@127.0.0.1:${builder.sshd.port} aarch64-linux`,
      'ssh-key': key.secret,
      cache: 'false',
    },
  })
  await plantSsh(prepared.machine)
  world.registry.forget()
  const main = await prepared.main()
  assert.equal(main.code, 1, main.log)
  const [error] = main.errors
  assert.match(error?.message ?? '', /aarch64-linux/)
  assert.match(main.log, /Permission denied/)
  assert.equal(world.registry.count({ method: 'PUT' }), 0)
})
