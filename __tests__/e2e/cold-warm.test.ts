import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { skopeo as runSkopeo } from '../harness/skopeo.ts'
import { thorough } from '../harness/thorough.ts'
import { login, World } from '../harness/world.ts'

const home = await mkdtemp(join(tmpdir(), 'skopeo-'))
after(() => rm(home, { recursive: true }))
async function skopeo(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runSkopeo(home, args)
  assert.equal(code, 0, stderr)
  return stdout
}
const reads = ['--src-tls-verify=false', '--src-creds', `${login.username}:${login.password}`]

const world = await World.create({ template: 'redis' })
after(() => world[Symbol.asyncDispose]())
const blobUploads = () => world.registry.count({ method: 'PUT', path: /\/blobs\/uploads\// })

const users = Machine.withoutUsers() === false ? (['runner', 'root'] as const) : (['root'] as const)
// By day each user and each version once; by night every user with every version.
const machines = nixRelease().releases.flatMap((release, index) =>
  users
    .filter((_, place) => thorough || place === index % users.length)
    .map(user => ({ user, release, id: `${user}-${release.version}` })),
)

for (const { user, release, id } of machines) {
  const skip = user === 'runner' && Machine.withoutUsers()
  test(`cold, then warm: Nix ${release.version} as ${user}`, { skip }, async t => {
    const options = {
      user,
      release,
      machine: { sudo: user === 'runner' },
      with: { name: `${world.registry.host}/Org/App-${id}`, 'cache-scope': id },
    }
    const name = `${world.registry.host}/org/app-${id}`
    const cold = await world.run(options)
    assert.equal(cold.main.code, 0, cold.main.log)
    assert.equal(cold.post.code, 0, cold.post.log)

    await t.test('the outputs are the contract’s', () => {
      const { outputs } = cold.main
      assert.match(outputs.digest ?? '', /^sha256:[0-9a-f]{64}$/)
      assert.equal(outputs.image, `${name}@${outputs.digest}`)
      assert.equal(outputs.tags, `${name}:main`)
      assert.equal(outputs.changed, 'true')
      assert.equal(outputs.cache, 'miss')
      assert.equal(outputs.sandbox, 'true')
      assert.equal(outputs['nix-version'], release.version)
      assert.match(outputs['out-path'] ?? '', /^\/nix\/store\/[0-9a-z]{32}-redis-conf\.json$/)
      assert.equal(outputs.platforms, process.arch === 'x64' ? 'linux/amd64' : 'linux/arm64')
      assert.ok(Number(outputs.uploaded) > 0 && Number(outputs.uploaded) === Number(outputs.size))
      const metadata = JSON.parse(outputs.metadata ?? '').details
      assert.equal(metadata.push.digest, outputs.digest)
      assert.ok(metadata.phases.length > 3)
    })

    await t.test('nothing is left behind, and nothing warns', () => {
      assert.deepEqual([...cold.main.warnings, ...cold.post.warnings], [])
      assert.deepEqual([...cold.main.errors, ...cold.post.errors], [])
    })

    await t.test('skopeo reads it back, with the digest that was reported', async () => {
      const stdout = await skopeo(
        'inspect',
        '--raw',
        '--tls-verify=false',
        '--creds',
        `${login.username}:${login.password}`,
        `docker://${name}:main`,
      )
      assert.equal(`sha256:${createHash('sha256').update(stdout).digest('hex')}`, cold.main.outputs.digest)
    })

    world.registry.forget()
    world.cache.forget()
    // With a change that is not committed nothing is taken for known without a look.
    const change = async (workspace: string, machine: Machine) => {
      await expect(machine.run(['sh', '-c', 'echo >> "$0"', join(workspace, 'flake.nix')]))
    }
    const warm = await world.run({ ...options, change })
    assert.equal(warm.main.code, 0, warm.main.log)

    await t.test('the warm run builds nothing, uploads no blob, and takes its paths from the cache', () => {
      const metadata = JSON.parse(warm.main.outputs.metadata ?? '').details
      assert.deepEqual(metadata.build.builds, [])
      assert.equal(blobUploads(), 0)
      assert.equal(warm.main.outputs.uploaded, '0')
      assert.equal(warm.main.outputs.changed, 'false')
      assert.equal(warm.main.outputs.digest, cold.main.outputs.digest)
      assert.equal(warm.main.outputs.cache, 'hit')
      assert.ok(metadata.build.substituted.cache > 3)
      assert.match(warm.main.summary, /Substituted \| \d+ paths from the cache/)
      // Packs travel whole, so more came than was used.
      const asked = world.cache.calls.filter(({ method, key }) => {
        return method === 'GetCacheEntryDownloadURL' && key?.startsWith('nia1-pack-')
      })
      const { fetched } = metadata.cache
      assert.ok(fetched.packs > 0)
      assert.equal(fetched.packs, asked.length)
      assert.ok(fetched.bytes >= metadata.build.substituted.bytes)
      assert.match(warm.main.summary, /\| Cache \| .*; \d+ packs? fetched, [\d.]+ [KM]iB \|/)
      assert.match(warm.post.summary, /nothing new, nothing uploaded/)
      assert.equal(world.cache.entries().filter(({ key }) => key.includes('-index-')).length >= 1, true)
    })

    // A file of the image belongs to redis, and dockerd has to write it so.
    const owners = { skip: Machine.withoutUsers() }
    await t.test('dockerd pulls it, starts it, and it answers', owners, async t => {
      await using machine = await Machine.create({ user: 'root' })
      const docker = await startDockerd(machine)
      await docker('login', '--username', login.username, '--password', login.password, world.registry.host)
      await docker('pull', '--quiet', warm.main.outputs.image ?? '')
      const reason = Machine.withoutContainers()
      if (reason !== false) return t.skip(reason)
      const id = (await docker('run', '--detach', '--network=none', warm.main.outputs.image ?? '')).trim()
      await docker('exec', id, 'sh', '-c', 'until redis-cli ping; do :; done')
      assert.equal((await docker('exec', id, 'redis-cli', 'ping')).trim(), 'PONG')
    })
  })
}

test('the image id is the one that docker load gives', { skip: Machine.withoutUsers() }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'image-id-'))
  try {
    await using prepared = await world.prepare({
      with: { image: '.#archive-gz', name: `${world.registry.host}/org/archive` },
    })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const docker = await startDockerd(prepared.machine)
    // What the flake itself makes, by nixpkgs' way of writing it.
    const built = await prepared.job.run(['nix', 'build', '--no-link', '--print-out-paths', '.#archive-gz'])
    const archive = /^\/nix\/store\/.*-docker-image-redis.*$/m.exec(built.log)?.[0]
    const loaded = await docker('load', '--quiet', '--input', archive ?? assert.fail(built.log))
    const id = (await docker('inspect', '--format', '{{.Id}}', /redis:sample/.exec(loaded)?.[0] ?? '')).trim()
    const stdout = await skopeo(
      'inspect',
      '--raw',
      '--tls-verify=false',
      '--creds',
      `${login.username}:${login.password}`,
      `docker://${main.outputs.image}`,
    )
    assert.equal(JSON.parse(stdout).config.digest, id)
    await skopeo('--insecure-policy', 'copy', ...reads, `docker://${main.outputs.image}`, `oci:${folder}:x`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
