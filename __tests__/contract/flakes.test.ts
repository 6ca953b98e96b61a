import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { nixRelease, partsBin, repository } from '../../script/parts/paths.ts'
import { plainDeb } from '../harness/deb.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { commitAll, type FlakeTemplate, materialise } from '../harness/flake.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

type Opened = {
  readonly kind: string
  readonly platform: object
  readonly id: string
  readonly config: string
  readonly layers: readonly { diffId: string; size: number; length: number; digest: string }[]
  readonly debug: readonly string[]
  readonly left: readonly string[]
}

const unavailable = Machine.unavailable()
const releases = unavailable ? [] : nixRelease().releases
const users = (['root', 'runner'] as const).filter(user => user === 'root' || Machine.hasUsers())

/** A sample flake in a folder of the host, seen in a machine that has Nix. */
async function sample(
  t: TestContext,
  template: FlakeTemplate,
  user: 'root' | 'runner',
  release = releases[0],
) {
  assert.ok(release)
  const folder = await mkdtemp(join(tmpdir(), 'flake-test-'))
  t.after(() => rm(folder, { recursive: true }))
  const flake = join(folder, 'flake')
  await chmod(folder, 0o755)
  const machine = await Machine.create({ user, nix: 'user', binds: [folder] })
  t.after(() => machine.dispose())
  const owner = machine.user.uid
  await materialise({ template, dir: flake, owner })
  const env = await installByHand(machine, release)
  const scratch = '/tmp/scratch'
  await machine.run(['mkdir', scratch])

  const nix = (...args: string[]) => machine.run(['nix', ...args], { env })
  const build = async (name: string) =>
    (await expect(nix('build', '--no-link', '--print-out-paths', `${flake}#${name}`))).trim()
  const driver = join(repository, '__tests__/contract/drivers/open-image.ts')
  const open = async (path: string): Promise<Opened> =>
    JSON.parse(await expect(machine.run([process.execPath, driver, path, scratch], { env })))
  const skopeo = (...args: string[]) => expect(machine.run([join(partsBin, 'skopeo'), ...args]))
  return { machine, flake, owner, nix, build, open, skopeo }
}

function assertWhole({ layers, config, left }: Opened): void {
  assert.ok(layers.length > 0)
  const claimed = JSON.parse(config).rootfs.diff_ids
  assert.deepEqual(
    layers.map(layer => layer.digest),
    claimed,
  )
  assert.deepEqual(
    layers.map(layer => layer.diffId),
    claimed,
  )
  for (const { size, length } of layers) assert.equal(size, length)
  assert.deepEqual(left, [])
}

suite('sample flakes', { skip: unavailable ?? false }, () => {
  for (const release of releases) {
    test(`busybox: the same image in each kind, with Nix ${release.version}`, async t => {
      const { build, open, skopeo, nix, flake } = await sample(t, 'busybox', 'root', release)
      const image = await build('image')
      assert.equal(await build('default'), image)
      const opened = await open(image)
      assertWhole(opened)
      assert.equal(opened.kind, 'docker-archive')
      assert.equal(opened.layers.length, 1)

      const packed = await open(await build('image-gz'))
      assert.deepEqual(packed, opened)
      const streamed = await open(await build('image-stream'))
      assert.deepEqual({ ...streamed, debug: [] }, { ...opened, kind: 'stream' })
      assert.match(streamed.debug.join(), /Packing busybox/)

      const seen = JSON.parse(await skopeo('inspect', `docker-archive:${image}`))
      assert.deepEqual(
        seen.Layers,
        opened.layers.map(layer => layer.diffId),
      )
      assert.deepEqual(opened.platform, { os: seen.Os, architecture: seen.Architecture })
      assert.equal(await skopeo('inspect', '--config', '--raw', `docker-archive:${image}`), opened.config)

      const failed = await nix('build', '--no-link', `${flake}#fails`)
      assert.equal(failed.code, 1)
      assert.match(failed.stderr, /> line 40 of 40\n.*> error: the build of the sample fails on purpose\n/)
      const wrong = await nix('build', '--no-link', `${flake}#hash-mismatch`)
      assert.notEqual(wrong.code, 0)
      assert.match(
        wrong.stderr,
        /specified: sha256-LPJNul\+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=\n +got: +sha256-/,
      )
    })
  }

  const ids = new Set<string>()
  for (const user of users) {
    test(`redis: the same image in each kind, as ${user}`, async t => {
      const { build, open, skopeo, nix, flake, owner } = await sample(t, 'redis', user)
      const image = await build('image')
      const archive = await build('archive')
      const opened = await open(archive)
      assertWhole(opened)
      assert.equal(opened.layers.length, 5)
      assert.deepEqual({ ...(await open(image)), debug: [] }, { ...opened, kind: 'stream' })
      assert.deepEqual(await open(await build('archive-gz')), opened)
      assert.deepEqual(await open(await build('archive-zst')), opened)
      ids.add(opened.id)
      assert.equal(ids.size, 1, 'who builds makes a difference')

      const seen = JSON.parse(await skopeo('inspect', `docker-archive:${archive}`))
      assert.deepEqual(
        seen.Layers,
        opened.layers.map(layer => layer.diffId),
      )
      assert.equal(await skopeo('inspect', '--config', '--raw', `docker-archive:${archive}`), opened.config)
      const again = ['image', 'archive', 'archive-gz', 'archive-zst'].map(name => `${flake}#${name}`)
      await expect(nix('build', '--no-link', '--rebuild', ...again))

      await appendFile(join(flake, 'src/redis.conf'), 'maxclients 100\n')
      await commitAll({ dir: flake, owner, message: 'Fewer clients' })
      const { stderr } = await nix('build', '--dry-run', `${flake}#image`)
      assert.deepEqual(
        [...stderr.matchAll(/-([^/]+)\.drv$/gm)].map(([, name]) => name).sort(),
        ['app', 'redis-conf.json', 'stream-redis'],
        stderr,
      )
      const changed = await open(await build('image'))
      assertWhole(changed)
      const same = changed.layers.filter((layer, i) => layer.diffId === opened.layers[i]?.diffId)
      assert.equal(same.length, 4)
      // Python writes bytecode where it can.
      await expect(nix('store', 'verify', '--all', '--no-trust'))
    })
  }

  const owners = { skip: Machine.withoutUsers() }
  test('redis: docker load gives the same id, and the program answers', owners, async t => {
    const { machine, build, open } = await sample(t, 'redis', 'root')
    const archive = await build('archive')
    const { id } = await open(archive)
    const docker = await startDockerd(machine)
    assert.match(await docker('load', '--input', archive), /Loaded image: redis:sample/)
    assert.equal((await docker('image', 'inspect', 'redis:sample', '--format', '{{.Id}}')).trim(), id)
    const reason = Machine.withoutContainers()
    if (reason !== false) return t.skip(reason)
    await docker('run', '--detach', '--name=sample', '--network=none', 'redis:sample')
    const answer = 'until redis-cli ping; do :; done'
    assert.match(await docker('exec', 'sample', 'sh', '-c', answer), /^PONG$/m)
  })

  test('a package compressed with zstd, as on Ubuntu, becomes one that busybox unpacks', async t => {
    const folder = await mkdtemp(join(tmpdir(), 'deb-test-'))
    t.after(() => rm(folder, { recursive: true }))
    await mkdir(join(folder, 'in/DEBIAN'), { recursive: true })
    await writeFile(join(folder, 'in/odd'), 'odd length.')
    const control =
      'Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.invalid>\nDescription: x\n'
    await writeFile(join(folder, 'in/DEBIAN/control'), control)
    const run = promisify(execFile)
    await run('dpkg-deb', [
      '--build',
      '-Zzstd',
      '--root-owner-group',
      join(folder, 'in'),
      join(folder, 'a.deb'),
    ])
    await plainDeb(join(folder, 'a.deb'), join(folder, 'b.deb'))
    await run('dpkg-deb', ['--info', join(folder, 'b.deb')])
    for (const name of ['a', 'b'])
      await run(join(partsBin, 'busybox'), [
        'dpkg-deb',
        '-x',
        join(folder, `${name}.deb`),
        join(folder, name),
      ])
    assert.ok(!existsSync(join(folder, 'a/odd')), 'busybox knows zstd: plainDeb has become needless')
    assert.equal(await readFile(join(folder, 'b/odd'), 'utf8'), 'odd length.')
  })
})
