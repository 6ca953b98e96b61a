import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import type { Report, Trust } from '../../src/report.ts'
import { serveBinaryCache, signingKey } from '../harness/binary-cache.ts'
import type { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { actionFolder, type RunOptions, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
const folder = await mkdtemp(join(tmpdir(), 'trust-'))
after(async () => {
  await world[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** What is shown at a glance, and in full. */
function shown(summary: string) {
  const full = (name: string) =>
    new RegExp(`^\\| ${name} \\| (?:Against|On whose word) \\|\\n.*\\n((?:\\|.*\\n)*)`, 'm')
      .exec(summary)?.[1]
      ?.trim()
      .split('\n') ?? []
  return { glance: /^\| Trust \| (.*) \|$/m.exec(summary)?.[1], full }
}

async function run(options: RunOptions) {
  const { main, post } = await world.run(options)
  assert.equal(main.code, 0, main.log)
  const report: Report = JSON.parse(main.outputs.metadata ?? '').details
  return { ...shown(main.summary), ...main, post, trust: report.trust, nix: report.nix }
}

const settled: Pick<Trust, 'locked' | 'unlocked' | 'pure' | 'machines'> = {
  locked: 0,
  unlocked: 0,
  pure: true,
  machines: [],
}

async function anotherCommit(workspace: string, machine: Machine): Promise<void> {
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
  // What the image is made by, and not what is in it.
  await expect(machine.run(['sh', '-c', 'echo "# changed" >>"$0"', join(workspace, 'stream.sh')]))
  await expect(machine.run(['git', '-C', workspace, ...who, 'commit', '-qam', 'Another']))
}

test('verified: Nix, a base image by its hash, a path that a key has signed', async () => {
  const key = signingKey('elsewhere-1')
  const content = join(folder, 'content')
  await using prepared = await world.prepare({
    machine: { files: { '/srv/key': key.secret } },
    cache: 'none',
    with: { image: '', warm: '.#busybox', 'copy-to': 'file:///srv/cache?secret-key=/srv/key' },
  })
  const filling = await prepared.main()
  assert.equal(filling.code, 0, filling.log)
  await cp(prepared.machine.path('/srv/cache'), content, { recursive: true })
  const whole = join(folder, 'whole')
  const more = await prepared.job.uses({
    action: actionFolder,
    with: { ...prepared.with, warm: '.#image-upon' },
  })
  assert.equal(more.code, 0, more.log)
  await cp(prepared.machine.path('/srv/cache'), whole, { recursive: true })

  await using cache = await serveBinaryCache(content)
  const { trust, glance, full, nix } = await run({
    cache: 'none',
    with: {
      ...{ image: '.#image-upon', push: 'false' },
      ...{ substituters: cache.url, 'trusted-public-keys': key.public },
    },
  })
  const digest = `sha256:c0ffee${'0'.repeat(52)}c0ffee`
  const hash = createHash('sha256').update('an image from a registry\n').digest('hex')
  assert.deepEqual(trust, {
    ...settled,
    paths: [{ from: cache.url, by: 'signature', key: 'elsewhere-1', paths: 1 }],
    keys: ['cache.nixos.org-1', 'elsewhere-1'],
    bases: trust?.bases.map(base => ({
      ...base,
      ...{ reference: `registry.example/org/base@${digest}`, hash: { algorithm: 'sha256', hash } },
    })),
    downloads: 0,
  })
  assert.equal(glance, '**verified**: 1 base image, 1 path')
  assert.equal(trust?.bases.length, 1)
  assert.deepEqual(full('Verified'), [
    `| Nix ${nix?.version} | <code>sha256:${nix?.release?.sha256}</code>, as <code>nix-sha256</code> says |`,
    `| base image <code>registry.example/org/base</code> | its hash in the flake: <code>sha256:${hash}</code> |`,
    `| 1 path from <code>${cache.url}</code> | the signature of <code>elsewhere-1</code> |`,
  ])
  // The digest is a name that nothing is held against.
  assert.deepEqual(full('Taken on trust'), [
    `| the digest of <code>registry.example/org/base</code> | the flake, <code>${digest}</code>: it is a name, and the hash is what was compared |`,
    '| signatures | whoever holds the keys that Nix’s settings name: <code>cache.nixos.org-1</code>, <code>elsewhere-1</code> |',
  ])

  // Of an image that comes as it is nothing is known of what it was built upon.
  await using wholeCache = await serveBinaryCache(whole)
  const fetched = await run({
    cache: 'none',
    with: {
      ...{ image: '.#image-upon', push: 'false' },
      ...{ substituters: wholeCache.url, 'trusted-public-keys': key.public },
    },
  })
  assert.deepEqual([fetched.trust?.bases, fetched.glance], [[], '**verified**: 2 paths'])

  // What evaluation itself has to have is fetched before anything is built.
  const imported = await run({
    cache: 'none',
    with: {
      ...{ image: '', warm: '.#imported' },
      ...{ substituters: cache.url, 'trusted-public-keys': key.public },
    },
    change: async (workspace, machine) => {
      const output =
        'imported = run (builtins.head (builtins.attrNames (builtins.readDir (content + "/bin"))))'
      const edit = `s|^( *)fails = |\\1${output} ./package.sh { };\\n&|`
      await expect(machine.run(['sed', '-E', '-i', edit, join(workspace, 'flake.nix')]))
    },
  })
  assert.deepEqual(
    imported.trust?.paths.map(({ from, by, paths }) => [from, by, paths]),
    [[cache.url, 'signature', 1]],
  )

  // The name of a key is not the key.
  const stranger = signingKey('elsewhere-1').public
  const careless = await run({
    cache: 'none',
    with: {
      ...{ image: '', warm: '.#busybox', 'nix-conf': 'require-sigs = false' },
      ...{ substituters: cache.url, 'trusted-public-keys': stranger },
    },
  })
  assert.deepEqual(careless.trust?.paths, [{ from: cache.url, by: 'nothing', paths: 1 }])
  assert.equal(careless.glance, `**taken on trust**: 1 path from <code>${cache.url}</code>`)
})

test('trusted: what the store cache has, and what it remembers', async () => {
  const given = { image: '.#image-stream', 'cache-scope': 'trust', name: `${world.registry.host}/org/trust` }
  const first = await run({ with: given })
  assert.equal(first.glance, undefined)

  const second = await run({ with: given, change: anotherCommit })
  assert.deepEqual(second.trust?.paths, [{ from: 'cache', by: 'nothing', paths: 1 }])
  assert.equal(second.glance, '**taken on trust**: 1 path from the store cache, 1 layer not made again')
  assert.match(
    second.full('Taken on trust')[0] ?? '',
    /an earlier job of this repository, which held it against <code>sha256:[0-9a-f]{64}</,
  )

  const third = await run({ with: given })
  assert.equal(third.outputs.changed, 'false')
  assert.equal(third.trust, undefined)
  assert.equal(third.glance, undefined)
  assert.deepEqual(third.full('Taken on trust').slice(1), [
    '| that the image of this commit is the published one | an earlier job of this repository, by its record in the store cache |',
  ])
})

test('an input is verified by the lock file, and trusted where there is none; so is an impure evaluation', async () => {
  const tarball = join(folder, 'input.tar.gz')
  await mkdir(join(folder, 'input'))
  await writeFile(join(folder, 'input/file'), 'of an input\n')
  await promisify(execFile)('tar', ['-C', folder, '-czf', tarball, 'input'])
  const server = createServer(async (_, response) => {
    response.end(await readFile(tarball))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/input.tar.gz`
  const addInput = async (workspace: string, machine: Machine, use = 'inherit other;') => {
    const input = `inputs.other = { url = "${url}"; flake = false; };`
    const edit = `s|outputs = [{] self [}]:|${input} outputs = { self, other }:|`
    const need = `s|(run "busybox" ./package.sh [{]) [}]|\\1 ${use} }|`
    await expect(machine.run(['sed', '-E', '-i', '-e', edit, '-e', need, join(workspace, 'flake.nix')]))
  }
  try {
    // The second is evaluated when Nix has written a lock file for the first.
    const given = { image: '', warm: '.#busybox\n.#image', cache: 'false' }
    await using prepared = await world.prepare({
      with: { ...given, 'nix-args': '--impure' },
      change: addInput,
    })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const { trust } = JSON.parse(main.outputs.metadata ?? '').details
    assert.deepEqual([trust.locked, trust.unlocked, trust.pure], [0, 1, false])
    assert.match(shown(main.summary).glance ?? '', /1 unpinned flake, evaluation by looser settings$/)
    const lock = await readFile(prepared.machine.path(join(prepared.job.workspace, 'flake.lock')), 'utf8')

    const withLock = (use?: string) =>
      run({
        with: given,
        change: async (workspace, machine) => {
          await addInput(workspace, machine, use)
          await expect(machine.run(['sh', '-c', 'cat >"$0"', join(workspace, 'flake.lock')], { stdin: lock }))
          await expect(machine.run(['git', '-C', workspace, 'add', '.']))
        },
      })
    const locked = await withLock()
    assert.deepEqual([locked.trust?.locked, locked.trust?.unlocked, locked.trust?.pure], [1, 0, true])
    assert.match(locked.glance ?? '', /\*\*verified\*\*: 1 flake input$/)

    // What nothing needs is not fetched, and so nothing was held against its hash.
    const unused = await withLock('')
    assert.deepEqual([unused.trust?.locked, unused.trust?.unlocked, unused.glance], [0, 0, undefined])
  } finally {
    server.close()
  }
})
