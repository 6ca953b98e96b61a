import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { readStamp } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { breakOff, type NixMirror, nixMirror, standStill, status } from '../harness/nix-mirror.ts'
import { byNight } from '../harness/thorough.ts'
import { type DriverResult, install, resultOf, startInstall, tarball, temp } from './drivers/install-in.ts'

const unavailable = Machine.unavailable()
const users = (['root', 'runner'] as const).filter(user => user === 'root' || Machine.hasUsers())
const withUsers = { skip: Machine.withoutUsers() }
const versions = readStamp()?.nix.map(release => release.version) ?? []

/** The Nix that was given; an error of the driver becomes the test's. */
function installedOf(result: DriverResult) {
  assert.ok(result.installed, result.error)
  return result.installed
}

const derivation =
  'derivation { name = "x"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo $$ > $out" ]; }'

const buildArgs = [
  'nix',
  'build',
  '--option',
  'substitute',
  'false',
  '--impure',
  '--no-link',
  '--print-out-paths',
  '--expr',
  derivation,
]

suite('installing Nix', { skip: unavailable ?? false }, () => {
  let mirror: NixMirror
  before(async () => {
    mirror = await nixMirror()
  })
  after(() => mirror[Symbol.asyncDispose]())

  for (const [place, user] of users.entries()) {
    for (const [index, version] of versions.entries()) {
      const skip = place !== index % users.length && byNight
      test(`${version} as ${user}: builds in the sandbox, survives a collection, is found again`, {
        skip,
      }, async () => {
        await using machine = await Machine.create({ user, nix: 'absent' })
        const release = tarball(version)
        const result = await install(machine, mirror.url, release)
        const { nix, ...installed } = installedOf(result)
        assert.deepEqual(result.warnings, [])
        assert.equal(nix.version, version)
        assert.equal(nix.bin, `${release.storePath}/bin`)
        assert.deepEqual(
          { how: installed.how, from: installed.from, kind: installed.kind, sandbox: installed.sandbox },
          { how: 'installed', from: 'mirror', kind: 'ours', sandbox: true },
        )
        assert.ok(result.valid && installed.closure.includes(release.storePath))
        assert.equal(statSync(machine.path('/nix/store')).uid, machine.user.uid)

        const path = release.storePath
        const mode = await machine.run(['stat', '-c', '%a %Y', path, `${path}/bin/nix`], { env: nix.env })
        assert.match(mode.stdout, /^555 1\n555 1\n$/)
        const build = await machine.run(buildArgs, {
          env: nix.env,
        })
        assert.equal(build.code, 0, build.stderr)
        assert.doesNotMatch(build.stderr, /unknown setting|warning/)
        // Inside the sandbox's own PID namespace the builder's number is a small one.
        const pid = await expect(machine.run(['cat', build.stdout.trim()]))
        assert.ok(Number(pid) < 10, pid)

        await expect(machine.run(['nix-collect-garbage'], { env: nix.env }))
        const again = await install(machine, mirror.url, release)
        const found = installedOf(again)
        assert.equal(found.how, 'found')
        assert.equal(found.from, 'present')
        assert.deepEqual(found.nix, nix)
        assert.deepEqual(found.closure, installed.closure, 'garbage collection spares Nix')
        assert.ok(again.valid)
        assert.deepEqual(readdirSync(machine.path('/nix/.nix-image-action')), [])
      })
    }
  }

  test('another version of ours is installed beside the first', async () => {
    await using machine = await Machine.create({ user: 'root' })
    for (const version of versions) installedOf(await install(machine, mirror.url, tarball(version)))
    for (const version of versions) {
      const { how, nix } = installedOf(await install(machine, mirror.url, tarball(version)))
      assert.equal(how, 'found')
      assert.match(await expect(machine.run(['nix', '--version'], { env: nix.env })), new RegExp(version))
    }
  })

  test('two jobs of one machine install at the same time', async () => {
    await using machine = await Machine.create({ user: 'root' })
    const results = await Promise.all(
      ['/tmp/one', '/tmp/two'].map(folder =>
        install(machine, mirror.url, tarball(), { env: { RUNNER_TEMP: folder } }),
      ),
    )
    for (const result of results) {
      installedOf(result)
      assert.ok(result.valid)
    }
    assert.deepEqual(readdirSync(machine.path('/nix/.nix-image-action')), [])
  })

  test('a wrong digest, a missing release, no right: nothing is written in /nix', withUsers, async () => {
    await using machine = await Machine.create({ user: 'runner' })
    const release = tarball()
    const untouched = (name: string) => assert.deepEqual(readdirSync(machine.path('/nix')), [], name)

    const wrong = '0'.repeat(64)
    const digest = await install(machine, mirror.url, release, { sha256: wrong })
    assert.match(digest.error ?? '', new RegExp(`expected: ${wrong}\ngot: {6}${release.sha256}$`))
    untouched('digest')
    const { stdout: left } = await machine.run(['find', temp, '-name', '*.tar.xz'])
    assert.equal(left, '', 'what came from the mirror is gone')

    const missing = await install(machine, mirror.url, release, { version: '2.99.1' })
    assert.match(missing.error ?? '', /nix-2\.99\.1-\w+-linux\.tar\.xz does not exist \(HTTP 404\)$/)
    assert.match(missing.advice ?? '', /nix-version.*mirror/)
    untouched('404')

    const conf = await install(machine, mirror.url, release, { nixConf: 'cores 2' })
    assert.match(conf.error ?? '', /line 1 is not a setting/)
    untouched('nix-conf')

    await using locked = await Machine.create({ user: 'runner', sudo: false, nix: 'absent' })
    const right = await install(locked, mirror.url, release)
    assert.equal(right.error, "The user 'runner' has no right to make the folder /nix")
    assert.match(right.advice ?? '', /sudo, or make an empty \/nix.*`install -d -o 1001 \/nix`/)
    assert.ok(!readdirSync(locked.path('/')).includes('nix'))

    await using roots = await Machine.create({ user: 'runner', sudo: false, nix: 'root' })
    const taken = await install(roots, mirror.url, release)
    assert.equal(taken.error, "The folder /nix is empty, and the user 'runner' may not write to it")
    assert.match(taken.advice ?? '', /sudo, or give \/nix to that user: `chown 1001 \/nix`/)
    assert.deepEqual(readdirSync(roots.path('/nix')), [])
  })

  test('without sudo, into an empty /nix that the user owns', withUsers, async () => {
    await using machine = await Machine.create({ user: 'runner', sudo: false, nix: 'user' })
    assert.equal(installedOf(await install(machine, mirror.url, tarball())).how, 'installed')
  })

  test('a mirror that fails for a while is asked again; one that fails for good ends in its words', async () => {
    await using machine = await Machine.create({ user: 'root' })
    const release = tarball()
    mirror.misbehave.push(status(503), status(503), status(503))
    const failed = await install(machine, mirror.url, release)
    assert.match(failed.error ?? '', /could not be downloaded: HTTP 503$/)
    assert.equal(mirror.misbehave.length, 0)
    assert.deepEqual(readdirSync(machine.path('/nix')), [])

    const elsewhere = `${mirror.url}/nix-${release.version}/nix-${release.version}-${release.system}.tar.xz`
    mirror.misbehave.push(status(503), breakOff, status(302, { location: elsewhere }))
    assert.equal(installedOf(await install(machine, mirror.url, release)).from, 'mirror')
    assert.equal(mirror.misbehave.length, 0)
  })

  test('killed while downloading, while unpacking and before registering: the next run installs', async () => {
    await using machine = await Machine.create({ user: 'root' })
    const release = tarball()
    const begun = Promise.withResolvers<void>()
    mirror.misbehave.push(standStill(begun.resolve))
    const downloading = startInstall(machine, mirror.url, release)
    await begun.promise
    downloading.kill()
    await downloading.done
    assert.deepEqual(readdirSync(machine.path('/nix')), [])

    // An xz that stops halfway, and says so.
    const xz = '#!/bin/sh\n/usr/bin/xz "$@" | head -c 20000000\necho > /tmp/halfway\nexec sleep 1000\n'
    await machine.plant('/tmp/slow/xz', xz, 0o755)
    await expect(machine.run(['mkfifo', '/tmp/halfway']))
    const unpacking = startInstall(machine, mirror.url, release, {
      env: { PATH: `/tmp/slow:${machine.env.PATH}` },
    })
    await expect(machine.run(['cat', '/tmp/halfway']))
    unpacking.kill()
    await unpacking.done
    assert.equal(readdirSync(machine.path('/nix/.nix-image-action')).length, 1, 'the staging folder is left')
    assert.ok(!readdirSync(machine.path('/nix')).includes('store'))

    const next = await install(machine, mirror.url, release)
    assert.ok(next.valid)
    assert.deepEqual(readdirSync(machine.path('/nix/.nix-image-action')), [])

    await expect(machine.run(['rm', '-rf', '/nix/var']))
    const registered = await install(machine, mirror.url, release)
    assert.equal(installedOf(registered).how, 'installed')
    assert.ok(registered.valid)
  })

  test('a Nix of ours that was damaged is repaired', withUsers, async () => {
    await using machine = await Machine.create({ user: 'runner' })
    const release = tarball()
    installedOf(await install(machine, mirror.url, release))
    const program = `${release.storePath}/bin/nix`
    for (const damage of [
      ['truncate', '-s', '0'],
      ['truncate', '-s', '50000'],
    ]) {
      await expect(machine.run([...damage, program], { as: 'root' }))
      const { how, nix } = installedOf(await install(machine, mirror.url, release))
      assert.equal(how, 'installed')
      assert.match(await expect(machine.run(['nix', '--version'], { env: nix.env })), /^nix \(Nix\)/)
      await expect(machine.run(['nix-store', '--verify', '--check-contents'], { env: nix.env }))
      assert.deepEqual(readdirSync(machine.path('/nix/.nix-image-action')), [])
    }
  })

  test('a full disk', async () => {
    await using machine = await Machine.create({ user: 'root', nixSize: '30m' })
    const result = await install(machine, mirror.url, tarball())
    assert.match(result.error ?? '', /^The disk is full: .*\/nix has /)
    assert.match(result.advice ?? '', /Free some space/)
    assert.deepEqual(readdirSync(machine.path('/nix/.nix-image-action')), [])

    await using small = await Machine.create({ user: 'root' })
    await expect(small.run(['mkdir', '/tmp/runner']))
    await expect(small.run(['mount', '-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', '/tmp/runner']))
    const download = await install(small, mirror.url, tarball())
    assert.match(download.error ?? '', /^The disk is full: .*\/tmp\/runner/)
    assert.deepEqual(readdirSync(small.path('/nix')), [])
  })

  test('a machine without xz or tar', async () => {
    for (const program of ['xz', 'tar']) {
      await using machine = await Machine.create({ user: 'root' })
      await expect(machine.run(['rm', `/usr/bin/${program}`]))
      const result = await install(machine, mirror.url, tarball())
      assert.match(result.error ?? '', new RegExp(`^'${program}' is needed`))
    }
  })

  test('a strict umask does not reach the store', withUsers, async () => {
    await using machine = await Machine.create({ user: 'runner' })
    const { storePath, ...release } = tarball()
    const input = JSON.stringify({ mirror: mirror.url, ...release })
    const program = join(import.meta.dirname, 'drivers/nix-install.ts')
    const argv = ['sh', '-c', 'umask 077; exec "$@"', 'sh', process.execPath, program, input]
    const job = machine.start(argv, { env: { ...machine.env, RUNNER_TEMP: '/tmp/runner' } })
    installedOf(await resultOf(job))
    assert.equal(statSync(machine.path(`${storePath}/bin`)).mode & 0o777, 0o555)
  })

  test('kept by post: taken from the tool cache, from the Actions cache, and from the mirror when damaged', async () => {
    await using machine = await Machine.create({ user: 'root' })
    await expect(machine.run(['mkdir', '/tmp/entry', '/tmp/tools']))
    const release = tarball()
    const caches = { toolCache: true, entry: '/tmp/entry' }
    const forget = () => expect(machine.run(['sh', '-c', 'chmod -R u+w /nix/* && rm -rf /nix/* /nix/.n*']))
    const first = installedOf(await install(machine, mirror.url, release, { ...caches, keep: true }))
    assert.equal(first.from, 'mirror')
    const asked = mirror.requests.length

    await forget()
    const second = await install(machine, mirror.url, release, caches)
    assert.equal(installedOf(second).from, 'tool-cache')
    assert.ok(second.valid)
    assert.deepEqual(installedOf(second).nix, first.nix)
    await forget()
    const third = await install(machine, mirror.url, release, { ...caches, toolCache: false })
    assert.equal(installedOf(third).from, 'actions-cache')
    assert.ok(third.valid)
    assert.equal(mirror.requests.length, asked, 'the mirror was not asked')

    const [entry = ''] = readdirSync(machine.path('/tmp/entry'))
    const archive = readFileSync(machine.path(`/tmp/entry/${entry}`))
    for (const damaged of [
      archive.subarray(0, archive.length / 2),
      Buffer.from('<html>'),
      flipped(archive),
    ]) {
      await forget()
      await machine.plant(`/tmp/entry/${entry}`, damaged)
      const result = await install(machine, mirror.url, release, { ...caches, toolCache: false })
      assert.equal(installedOf(result).from, 'mirror')
      assert.ok(result.valid)
      assert.equal(result.warnings.length, 1)
      assert.match(result.warnings[0] ?? '', /Actions cache is damaged/)
    }
  })
})

function flipped(data: Buffer): Buffer {
  const copy = Buffer.from(data)
  const middle = copy.length >> 1
  copy.writeUInt8(copy.readUInt8(middle) ^ 1, middle)
  return copy
}
