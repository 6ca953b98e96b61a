import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { readStamp } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand, installForAll, startDaemon } from '../harness/nix-by-hand.ts'
import { type NixMirror, nixMirror } from '../harness/nix-mirror.ts'
import { install, tarball } from './drivers/install-in.ts'

const skip = Machine.unavailable() ?? Machine.withoutUsers()
const versions = readStamp()?.nix.map(release => release.version) ?? []
const other = { version: '2.30.0', sha256: '0'.repeat(64) }
const system = process.arch === 'arm64' ? 'aarch64-linux' : 'x86_64-linux'
const derivation = `derivation { name = "x"; system = "${system}"; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; }`

suite('a Nix that is there already', { skip }, () => {
  let mirror: NixMirror
  before(async () => {
    mirror = await nixMirror()
  })
  after(async () => {
    await mirror[Symbol.asyncDispose]()
    assert.deepEqual(mirror.requests, [], 'nothing was downloaded')
  })

  for (const where of ['PATH', 'profile']) {
    test(`somebody's single-user Nix, found by ${where}, is used as it is`, async () => {
      await using machine = await Machine.create({ user: 'runner', nix: 'user' })
      const release = tarball()
      const env = await installByHand(machine, release)
      if (where === 'profile') {
        await expect(machine.run(['ln', '-s', release.storePath, `${machine.user.home}/.nix-profile`]))
      }
      const result = await install(machine, mirror.url, release, {
        ...other,
        env: where === 'PATH' ? env : { NIX_CONFIG: env.NIX_CONFIG ?? '' },
      })
      const { installed } = result
      assert.ok(installed, result.error)
      assert.equal(installed.kind, 'single-user')
      assert.equal(installed.how, 'found')
      assert.equal(installed.nix.version, release.version)
      assert.equal(installed.sandbox, true)
      assert.equal(installed.conf.sandbox, undefined)
      assert.ok(result.valid && installed.closure.includes(release.storePath))
      assert.equal(result.warnings.length, 1)
      assert.match(result.warnings[0] ?? '', /asks for 2\.30\.0.*has Nix /)
      assert.ok(!readdirSync(machine.path('/nix')).includes('.nix-image-action'))
      const again = await install(machine, mirror.url, release, { env })
      assert.deepEqual(again.warnings, [])
    })
  }

  test('a daemon that trusts the user', async () => {
    await using machine = await Machine.create({ user: 'runner' })
    const release = tarball()
    await installForAll(machine, release, 'trusted-users = root runner')
    await startDaemon(machine)
    const result = await install(machine, mirror.url, release)
    const { installed } = result
    assert.ok(installed, result.error)
    assert.deepEqual(result.warnings, [])
    assert.equal(installed.kind, 'daemon')
    assert.equal(installed.nix.bin, '/nix/var/nix/profiles/default/bin')
    assert.equal(installed.sandbox, true)
    assert.ok(installed.conf.trusted && !installed.conf.withoutBuildUsers && result.valid)
    assert.equal(statSync(machine.path(release.storePath)).uid, 0)
    const { env } = installed.nix
    const build = await machine.run(['nix', 'build', '--no-link', '--expr', derivation], { env })
    assert.equal(build.code, 0, build.stderr)
  })

  test('a daemon that does not trust the user: said once, and it is not asked for more', async () => {
    await using machine = await Machine.create({ user: 'runner' })
    const release = tarball()
    await installForAll(machine, release, 'sandbox = false')
    await startDaemon(machine)
    const { installed, warnings, error } = await install(machine, mirror.url, release)
    assert.ok(installed, error)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /does not trust the user 'runner'/)
    assert.equal(installed.conf.trusted, false)
    assert.equal(installed.sandbox, false, 'what the machine says of its sandbox is what is told')
    const { env } = installed.nix
    const build = await machine.run(['nix', 'build', '--no-link', '--expr', derivation], { env })
    assert.equal(build.code, 0, build.stderr)
    assert.doesNotMatch(build.stderr, /warning|ignoring/)
  })

  test('a daemon that is not running', async () => {
    await using machine = await Machine.create({ user: 'runner' })
    await installForAll(machine, tarball(), '')
    const none = await install(machine, mirror.url, tarball())
    assert.match(none.error ?? '', /belongs to another user or is read-only/)
    const bind =
      'require("net").createServer().listen("/nix/var/nix/daemon-socket/socket", () => process.kill(process.pid, "SIGKILL"))'
    await machine.run(['mkdir', '-p', '/nix/var/nix/daemon-socket'], { as: 'root' })
    await machine.run([process.execPath, '-e', bind], { as: 'root' })
    const dead = await install(machine, mirror.url, tarball())
    assert.match(dead.error ?? '', /daemon of this machine does not answer/)
    assert.match(dead.advice ?? '', /Start nix-daemon/)
  })

  test('a Nix that is too old', async () => {
    await using machine = await Machine.create({ user: 'runner', nix: 'user' })
    await machine.plant('/nix/var/nix/db/db.sqlite', '')
    for (const program of ['nix', 'nix-store']) {
      await machine.plant(`/tmp/old/${program}`, '#!/bin/sh\necho "nix (Nix) 2.8.0"\n', 0o755)
    }
    const env = { PATH: `/tmp/old:${machine.env.PATH}` }
    const { error, advice } = await install(machine, mirror.url, tarball(), { env })
    assert.match(error ?? '', /\/tmp\/old\/nix, is version 2\.8\.0/)
    assert.match(advice ?? '', /2\.18 or newer/)
  })

  test('a /nix that cannot be used is left alone', async () => {
    const bare = async (prepare: readonly string[], expected: RegExp) => {
      await using machine = await Machine.create({ user: 'runner', nix: 'absent' })
      await expect(machine.run(prepare, { as: 'root' }))
      const before = await expect(machine.run(['find', '/nix', '-ls']))
      const { error, advice } = await install(machine, mirror.url, tarball())
      assert.match(error ?? '', expected)
      assert.ok(advice)
      assert.equal(await expect(machine.run(['find', '/nix', '-ls'])), before)
    }
    await bare(['mkdir', '-p', '/nix/store/somebody'], /no Nix in it that this job can use/)
    await bare(['ln', '-s', '/tmp', '/nix'], /is not a directory/)
    await bare(['mkdir', '-p', '/nix/.nix-image-action'], /as another user/)
  })

  test('a read-only /nix without a daemon', async () => {
    await using machine = await Machine.create({ user: 'runner', nix: 'user' })
    const env = await installByHand(machine, tarball())
    await expect(machine.run(['mount', '-o', 'remount,bind,ro', '/nix'], { as: 'root' }))
    const { error } = await install(machine, mirror.url, tarball(), { env })
    assert.match(error ?? '', /read-only/)
  })
})

suite('driving Nix', { skip }, () => {
  let mirror: NixMirror
  before(async () => {
    mirror = await nixMirror()
  })
  after(() => mirror[Symbol.asyncDispose]())

  for (const version of versions) {
    test(`${version} answers what it knows of paths, and reads our nix.conf without a word`, async () => {
      await using machine = await Machine.create({ user: 'runner' })
      const nixConf = 'substituters = http://127.0.0.1:1 # mine\nmax-jobs = 3\n\n'
      const token = 'ghs_secret'
      const result = await install(machine, mirror.url, tarball(version), { nixConf, token })
      const nix = result.installed?.nix
      assert.ok(nix, result.error)

      const shown = await machine.run(['nix', 'config', 'show'], { env: nix.env })
      assert.equal(shown.stderr, '')
      const setting = (name: string) => new RegExp(`^${name} = ?(.*)$`, 'm').exec(shown.stdout)?.[1]?.trim()
      assert.equal(setting('max-jobs'), '3')
      assert.equal(setting('sandbox'), 'true')
      assert.equal(setting('sandbox-fallback'), 'false')
      assert.equal(setting('substituters'), 'http://127.0.0.1:1')
      assert.equal(setting('access-tokens'), `github.com=${token}`)
      const modes = await expect(machine.run(['sh', '-c', 'stat -c "%a %U" /tmp/runner/*/*.conf']))
      assert.equal(modes, '600 runner\n600 runner\n')

      const program = join(import.meta.dirname, 'drivers/nix-cli.ts')
      const run = await machine.run([process.execPath, program, JSON.stringify(nix)])
      const answer = JSON.parse(/^RESULT (.*)$/m.exec(run.stdout)?.[1] ?? assert.fail(run.stderr))
      const { last } = answer
      assert.equal(answer.asked, 3000)
      assert.equal(answer.all, 3000 + (result.installed?.closure.length ?? 0))
      assert.equal(answer.closure, 100)
      assert.equal(answer.empty, 0)
      assert.ok(answer.sameAsAll)
      assert.deepEqual(answer.valid, [true, false])
      const hash = await expect(
        machine.run(['nix-hash', '--type', 'sha256', '--sri', last.path], { env: nix.env }),
      )
      assert.equal(last.narHash, hash.trim())
      assert.equal(last.references.length, 1)
      assert.match(last.ca, /^text:sha256:/)
      assert.ok(last.narSize > 100 && last.registrationTime > 1.7e9)
    })
  }

  for (const version of versions) {
    test(`${version} as root reads a workspace that belongs to another user, as in a container job`, async () => {
      await using machine = await Machine.create({ user: 'root' })
      const workspace = '/tmp/work/repository'
      const script = `set -e; mkdir -p ${workspace}; cd ${workspace}; git init -q .
        echo '{ outputs = _: { answer = 42; }; }' > flake.nix; git add .; chown -R 1001:1001 /tmp/work`
      await expect(machine.run(['sh', '-c', script]))
      const env = { GITHUB_WORKSPACE: workspace }
      const { installed, error } = await install(machine, mirror.url, tarball(version), { env })
      assert.ok(installed, error)
      const argv = ['nix', 'eval', '.#answer']
      const { stdout, stderr } = await machine.run(argv, { env: installed.nix.env, cwd: workspace })
      assert.equal(stdout, '42\n', stderr)
    })
  }

  for (const user of ['root', 'runner'] as const) {
    test(`as ${user} where there can be no sandbox: told once, and builds work`, async () => {
      await using machine = await Machine.create({ user, userNamespaces: false, sudo: false, nix: 'user' })
      const result = await install(machine, mirror.url, tarball())
      const { installed } = result
      assert.ok(installed, result.error)
      assert.equal(installed.sandbox, false)
      assert.equal(result.warnings.length, 1)
      assert.match(result.warnings[0] ?? '', /without Nix's sandbox.*sandbox = false/s)
      const argv = ['nix', 'build', '--no-link', '--option', 'substitute', 'false', '--expr', derivation]
      const build = await machine.run(argv, { env: installed.nix.env })
      assert.equal(build.code, 0, build.stderr)
      assert.doesNotMatch(build.stderr, /warning/)
      const { stdout } = await machine.run(['sh', '-c', 'ls /nix/store | grep probe | grep -v lock'])
      assert.equal(stdout, '', 'nothing of the probe is left')

      const accepted = await install(machine, mirror.url, tarball(), { nixConf: 'sandbox = false' })
      assert.equal(accepted.installed?.sandbox, false)
      assert.deepEqual(accepted.warnings, [])
    })
  }
})
