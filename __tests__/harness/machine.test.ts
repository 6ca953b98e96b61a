import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { nixRelease, partsBin, readStamp, repository } from '../../script/parts/paths.ts'
import { Machine, type MachineOptions } from './machine.ts'
import { expect, installByHand } from './nix-by-hand.ts'

const unavailable = Machine.unavailable()
const users = (['root', 'runner'] as const).filter(user => user === 'root' || Machine.hasUsers())

suite('machine', { skip: unavailable ?? false }, () => {
  for (const user of users) {
    test(`${user} has a home, the environment given and no more, and the repository to read`, async () => {
      await using machine = await Machine.create({ user })
      assert.equal(await expect(machine.run(['id', '-un'])), `${user}\n`)
      assert.equal(await expect(machine.run(['pwd'])), `${machine.user.home}\n`)
      await expect(machine.run(['touch', 'mine']))
      assert.equal(await expect(machine.run(['/usr/bin/env'], { env: { ONE: 'a b' } })), 'ONE=a b\n')
      await expect(machine.run(['test', '-r', join(repository, 'package.json')]))
      assert.notEqual((await machine.run(['touch', join(repository, 'written')], { as: 'root' })).code, 0)
      const version = await expect(machine.run([process.execPath, '--version']))
      assert.equal(version, `${process.version}\n`)
    })
  }

  test('root has no sudo', async () => {
    await using machine = await Machine.create({ user: 'root' })
    assert.equal((await machine.run(['sudo', 'true'])).code, 127)
  })

  test('runner has sudo without a password, and can be without sudo', {
    skip: Machine.withoutUsers(),
  }, async () => {
    await using machine = await Machine.create({ user: 'runner' })
    const asRoot = await machine.run(['sudo', '-n', 'id', '-u'])
    assert.deepEqual(asRoot, { code: 0, signal: undefined, stdout: '0\n', stderr: '' })
    assert.notEqual((await machine.run(['mkdir', '/nix/store'])).code, 0)
    await expect(machine.run(['sudo', 'mkdir', '/nix/store']))
    await using other = await Machine.create({ user: 'runner', sudo: false })
    assert.equal((await other.run(['sudo', 'true'])).code, 127)
  })

  test('commands follow one another in the same machine; a killed one is gone with what it started', async () => {
    await using machine = await Machine.create({ user: 'root' })
    await expect(machine.run(['tee', '/tmp/note'], { stdin: 'kept' }))
    assert.equal(await expect(machine.run(['cat', '/tmp/note'])), 'kept')
    assert.equal(readFileSync(machine.path('/tmp/note'), 'utf8'), 'kept')

    const begun = Promise.withResolvers<void>()
    const loop = 'sleep 1000 & echo begun; wait'
    const job = machine.start(['bash', '-c', loop], { onStdout: () => begun.resolve() })
    await begun.promise
    job.kill()
    assert.deepEqual(await job.done, { code: undefined, signal: 'SIGKILL', stdout: 'begun\n', stderr: '' })
    assert.doesNotMatch(await expect(machine.run(['ps', '-A', '-o', 'args'])), /sleep 1000/)

    const polite = machine.start(['bash', '-c', 'trap "echo bye; exit 3" TERM; echo on; sleep 1000 & wait'], {
      onStdout: chunk => chunk === 'on\n' && polite.kill('SIGTERM'),
    })
    const { code, stdout } = await polite.done
    assert.deepEqual({ code, stdout }, { code: 3, stdout: 'on\nbye\n' })
    const aborted = await machine.run(['sleep', '1000'], { signal: AbortSignal.timeout(50) })
    assert.equal(aborted.signal, 'SIGKILL')
  })

  test('a daemon outlives its command and leaves no zombie when it ends', async () => {
    await using machine = await Machine.create({ user: 'root' })
    await expect(machine.run(['setsid', '--fork', 'sleep', '1']))
    const list = () => expect(machine.run(['ps', '-A', '-o', 'args']))
    assert.match(await list(), /sleep 1/)
    for (let tries = 0; tries < 50 && /sleep|defunct/.test(await list()); tries++) await sleep(200)
    assert.doesNotMatch(await list(), /sleep|defunct/)
  })

  test('nothing is left behind', async () => {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    const marker = `machine-test-${process.pid}`
    const folders = ['/', '/tmp', '/var/tmp', '/home', '/etc', '/usr/bin', '/dev/shm', '/mnt']
    await using machine = await Machine.create({ user: 'root', files: { '/home/a/b': 'x' } })
    const namespace = readlinkSync(join(dirname(machine.path('/')), 'ns/mnt'))
    for (const folder of folders) await expect(machine.run(['touch', join(folder, marker)]))
    await expect(machine.run(['setsid', '--fork', 'sleep', '1000']))
    const begun = Promise.withResolvers<void>()
    const endless = 'echo begun; exec sleep 1000'
    const running = machine.start(['bash', '-c', endless], { onStdout: () => begun.resolve() })
    await begun.promise
    assert.notDeepEqual(processesIn(namespace), [])
    await machine.dispose()
    await machine.dispose()
    assert.equal((await running.done).signal, 'SIGKILL')
    assert.deepEqual(processesIn(namespace), [])
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts)
    assert.deepEqual(
      folders.filter(folder => existsSync(join(folder, marker))),
      [],
    )
  })

  test('machines do not see each other', async () => {
    const create = (user: MachineOptions['user']) => Machine.create({ user, files: { '/tmp/name': user } })
    const machines = await Promise.all([...users, ...users].map(create))
    for (const machine of machines) {
      assert.equal(await expect(machine.run(['cat', '/tmp/name'])), machine.user.name)
      await machine.dispose()
    }
  })

  test('a disk can be full', async () => {
    await using machine = await Machine.create({ user: 'root', nixSize: '1m' })
    const { code, stderr } = await machine.run(['dd', 'if=/dev/zero', 'of=/nix/big', 'bs=64k', 'count=64'])
    assert.equal(code, 1)
    assert.match(stderr, /No space left on device/)
  })

  test('/nix can be absent', { skip: existsSync('/nix') }, async () => {
    await using machine = await Machine.create({ user: 'root', nix: 'absent' })
    assert.equal(existsSync(machine.path('/nix')), false)
  })

  test('the programs of .parts run', async () => {
    await using machine = await Machine.create({ user: 'root' })
    const missing = readStamp()?.missing ?? []
    const versions = ['skopeo --version', 'crane --help', 'docker-registry --version', 'docker --version']
    for (const line of [...versions, 'dockerd --version', 'containerd --version', 'runc --version']) {
      const [program = '', argument = ''] = line.split(' ')
      if (missing.some(name => name.startsWith(program.replace('dockerd', 'docker.io')))) continue
      await expect(machine.run([join(partsBin, program), argument]))
    }
  })

  for (const release of unavailable === undefined ? nixRelease().releases : []) {
    for (const user of users) {
      test(`Nix ${release.version} of its tarball builds in the sandbox, as ${user}`, async t => {
        await using machine = await Machine.create({ user, nix: 'user' })
        if ((await machine.run(['unshare', '--user', 'true'])).code !== 0) {
          t.skip('no user namespaces for ordinary users here')
          return
        }
        const env = await installByHand(machine, release)
        assert.match(await expect(machine.run(['nix', '--version'], { env })), new RegExp(release.version))
        // Recomputes every hash in .reginfo.
        await expect(machine.run(['nix', 'store', 'verify', '--all', '--no-trust'], { env }))
        const build = nixBuild(release.system, 'hello', '[ ! -e /home ] && echo $NIX_STORE > $out')
        const out = (await expect(machine.run(build, { env }))).trim()
        assert.equal(await expect(machine.run(['cat', out])), '/nix/store\n')
        const closure = await expect(machine.run(['nix-store', '-qR', release.storePath], { env }))
        assert.ok(closure.trim().split('\n').length > 1)
      })
    }

    test(`Nix ${release.version} has no sandbox without user namespaces, and says so`, {
      skip: Machine.withoutUsers(),
    }, async () => {
      await using machine = await Machine.create({ user: 'runner', nix: 'user', userNamespaces: false })
      const env = await installByHand(machine, release)
      const { code, stderr } = await machine.run(nixBuild(release.system, 'one', 'echo > $out'), { env })
      assert.equal(code, 1)
      assert.match(stderr, /does not support the kernel namespaces/)
      const lenient = {
        ...env,
        NIX_CONFIG: env.NIX_CONFIG?.replace('fallback = false', 'fallback = true') ?? '',
      }
      const seesHost = nixBuild(release.system, 'two', '[ -e /home ] && echo > $out')
      // Without a sandbox there is no /bin/sh of Nix's own, but the system's.
      await expect(machine.run(seesHost, { env: lenient }))
    })
  }
})

function nixBuild(system: string, name: string, script: string): string[] {
  const derivation = `derivation { name = "${name}"; system = "${system}"; builder = "/bin/sh"; args = [ "-c" "${script}" ]; }`
  return ['nix-build', '--no-out-link', '-E', derivation]
}

/** Numbers of all processes in a mount namespace. */
function processesIn(namespace: string): string[] {
  return readdirSync('/proc').filter(name => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/ns/mnt`) === namespace
    } catch {
      return false
    }
  })
}
