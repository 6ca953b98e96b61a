import assert from 'node:assert/strict'
import { createReadStream } from 'node:fs'
import { readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readStamp } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { makeSample, type Prepared, prepare } from './build/run.ts'

const releases = readStamp()?.nix ?? []
const skip = Machine.unavailable() ?? (releases.length === 0 ? 'there is no Nix release' : false)

let sample: string
before(async () => {
  if (skip === false) sample = await makeSample()
})
after(async () => {
  if (sample !== undefined) await rm(sample, { recursive: true })
})

const own = (name: string) => `.devcontainer/nixos#${name}`

/** The number of the line in the flake of this test that has this text. */
async function lineOf(text: string): Promise<number> {
  const flake = await readFile(join(import.meta.dirname, 'build/flake.nix'), 'utf8')
  return flake.split('\n').findIndex(line => line.includes(text)) + 1
}

for (const [index, release] of releases.entries()) {
  // Each version as another user, so that both are tried.
  const user = index % 2 === 0 || !Machine.hasUsers() ? 'root' : 'runner'

  describe(`Nix ${release.version} as ${user}`, { skip }, () => {
    let at: Prepared
    before(async () => {
      at = await prepare(sample, release, { user })
    })
    after(() => at?.machine.dispose())

    test('builds, says what it did, keeps the outputs; a second time there is nothing to do', async () => {
      const first = await at.job(own('app'))
      assert.equal(first.error, undefined)
      const [evaluated] = first.evaluated
      assert.equal(evaluated?.name, 'app-2.0')
      assert.equal(evaluated.source.directory, at.workspace)
      assert.match(evaluated.source.rev ?? '', /^[0-9a-f]{40}$/)
      assert.match(evaluated.source.path, /^\/nix\/store\/[0-9a-z]{32}-source$/)
      assert.deepEqual(first.realised?.outPaths, [evaluated.outPath])
      assert.equal(await at.run('cat', evaluated.outPath), 'dep\n')
      assert.deepEqual(
        first.realised?.builds.map(build => build.name),
        ['dep-1.0', 'app-2.0'],
      )
      for (const line of [
        'these 2 derivations will be built',
        'dep-1.0> building dep',
        'app-2.0> ::set-output name=digest::sha256:bad',
        'app-2.0> x #\u200b#[set-output name=digest]bad',
      ]) {
        assert.ok(first.log.includes(line), `${line} is in:\n${first.log.join('\n')}`)
      }
      assert.match(first.log.at(-1) ?? '', /nixos#app: Built 2 \(slowest: .*\), in \d/)
      const dead = await at.run('nix-store', '--gc', '--print-dead')
      assert.ok(dead.includes('-dep-1.0') && !dead.includes(evaluated.outPath), 'only the output is held')

      const second = await at.job(own('app'))
      assert.deepEqual([second.realised?.builds, second.realised?.substitutions], [[], []])
      assert.deepEqual(
        [first.progress, second.progress],
        [
          [
            [1, 0],
            [2, 0],
          ],
          [],
        ],
      )
      assert.match(second.log.at(-1) ?? '', /Nothing to build or to fetch/)
    })

    test('evaluates and builds several at once, and the outputs that are asked for', async () => {
      const outputs = await at.job([own('outputs'), own('outputs^dev'), own('outputs^*'), '.#image-stream'])
      assert.equal(outputs.error, undefined)
      assert.deepEqual(
        outputs.evaluated.map(one => Object.keys(one.outputs)),
        [['out'], ['dev'], ['dev', 'out'], ['out']],
      )
      const [out, dev] = outputs.realised?.outPaths ?? []
      assert.equal(await at.run('cat', out ?? '', dev ?? ''), '1\n2\n')
      const missing = await at.job(own('outputs^bin'))
      assert.match(missing.error?.message ?? '', /no output 'bin'/)
      assert.equal(missing.error?.advice, 'It has: dev, out.')
    })

    test('counts what came from which cache, and what a broken one did not give', async () => {
      const cache = join(at.machine.user.home, 'cache')
      const { evaluated } = await at.job(own('app'))
      const app = evaluated[0]?.outPath ?? ''
      const dep = (await readdir(at.machine.path('/nix/store'))).find(name => name.endsWith('-dep-1.0')) ?? ''
      const paths = [app, `/nix/store/${dep}`]
      await at.run('nix', 'copy', '--to', `file://${cache}`, ...paths)
      const hosted = at.machine.path(cache)
      const server = createServer((request, response) => {
        const file = createReadStream(join(hosted, request.url ?? ''))
        file.on('error', () => response.writeHead(404).end()).pipe(response)
      })
      await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const again = async () => {
        await at.run('rm', '-rf', `${at.machine.user.home}/scratch`, `${at.machine.user.home}/.cache/nix`)
        await at.run('nix-store', '--delete', ...paths)
        return at.job(own('app'), { args: ['--option', 'substituters', `${url}?trusted=1`], cacheUrl: url })
      }
      const narinfo = (path: string) => readFile(join(hosted, `${path.slice(11, 43)}.narinfo`), 'utf8')
      const field = (text: string, name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
      try {
        const whole = await again()
        assert.deepEqual(whole.realised?.builds, [])
        assert.deepEqual(
          whole.realised?.substitutions.map(({ path, store, bytes }) => ({ path, store, bytes })),
          [{ path: app, store: url, bytes: Number(field(await narinfo(app), 'FileSize')) }],
        )
        assert.match(whole.log.at(-1) ?? '', /Fetched 1 path from the cache \(\d+ B\), in/)

        await rm(join(hosted, field(await narinfo(app), 'URL')))
        const broken = await again()
        assert.equal(broken.error, undefined)
        assert.equal(broken.realised?.builds.at(-1)?.name, 'app-2.0')
        // Some versions then build what it needs as well, some substitute that.
        assert.deepEqual(
          [...broken.realised.builds, ...broken.realised.substitutions].map(
            one => 'path' in one && one.path === app,
          ),
          [false, false],
        )
      } finally {
        server.closeAllConnections()
        server.close()
      }
    })

    test('a failing build ends with its name and the end of its log', async () => {
      const { error, log, progress } = await at.job(own('fails-below'))
      assert.deepEqual(progress, [[0, 1]])
      assert.equal(error?.message, 'fails-3.1 failed to build: builder failed with exit code 3')
      const tail = Array.from({ length: 30 }, (_, line) => `> line ${line + 11}`).join('\n')
      assert.equal(error.detail, `The end of its log:\n${tail}`)
      assert.match(
        error.advice ?? '',
        /nix build -L .*#fails-below.*nix log \/nix\/store\/\w+-fails-3\.1\.drv/,
      )
      assert.ok(log.includes('fails-3.1> line 1') && log.includes('fails-3.1 failed'))
      assert.ok(!log.some(line => line.startsWith('built ')), log.join('\n'))
    })

    test('of several installables the advice names the one that needs what failed', async () => {
      for (const others of [[], ['--keep-going']]) {
        const { error } = await at.job([own('dep'), own('fails-below'), own('app')], { args: others })
        assert.equal(error?.message, 'fails-3.1 failed to build: builder failed with exit code 3')
        assert.match(error.advice ?? '', /`nix build -L [^ `]*#fails-below`/)
      }
    })

    test('several failing builds are all named; a killed one gets its own advice', async () => {
      const { error } = await at.job(own('fails-too'), { args: ['--keep-going'] })
      assert.match(error?.message ?? '', /^(fails-3\.1|also-fails) failed to build/)
      assert.match(error?.detail ?? '', /\nAlso failed: (fails-3\.1|also-fails)$/)
      const killed = await at.job(own('killed'))
      assert.match(killed.error?.message ?? '', /^killed failed to build: builder failed with exit code 137$/)
      assert.match(killed.error?.advice ?? '', /memory/)
    })

    for (const name of ['wrong-sri', 'wrong-base16', 'wrong-base32'] as const) {
      test(`a wrong hash has its place and the right one: ${name}`, async () => {
        const { error } = await at.job(own(name))
        const line = await lineOf(`${name} = `)
        assert.match(
          error?.message ?? '',
          new RegExp(`^The hash of ${name} is wrong:\\n {2}specified: sha256-A`),
        )
        assert.match(error?.message ?? '', /got: {7}sha256-WJG1tSLV3whtD\/CxEPvZ0hu0\/HFjrzTQgoai6Eb2vgM=$/)
        assert.deepEqual(error?.place, { file: '.devcontainer/nixos/flake.nix', line })
        assert.match(
          error?.advice ?? '',
          new RegExp(`write sha256-WJG1.*= in .devcontainer/nixos/flake.nix:${line}\\.`),
        )
      })
    }

    test('a placeholder and a hash that evaluation finds wrong have their places too', async () => {
      const fake = await at.job(own('wrong-fake'))
      assert.deepEqual(fake.error?.place?.line, await lineOf('fakeHash = '))
      const early = await at.job(own('wrong-evaluation'))
      assert.match(early.error?.message ?? '', /^The hash of file downloaded from 'file:.*busybox' is wrong:/)
      assert.equal(early.error?.place?.line, await lineOf('wrong-evaluation = '))
    })

    test('an attribute that is not there: those that are, and the one that was meant', async () => {
      const near = await at.job('.#imag')
      const names = await at.run(
        'nix',
        'eval',
        '--raw',
        `.#packages.${release.system}`,
        '--apply',
        'set: builtins.concatStringsSep ", " (builtins.attrNames set)',
      )
      assert.equal(near.error?.message, `.#imag: the flake has no output 'imag'. It has: ${names}.`)
      assert.equal(near.error?.advice, 'Did you mean .#image?')
      const inside = await at.job(own('other.only.her'))
      assert.equal(inside.error?.advice, 'Did you mean .devcontainer/nixos#other.only.here?')
      const absent = await at.job(own('packages.riscv64-linux.image'))
      assert.match(absent.error?.message ?? '', /It has: aarch64-linux, x86_64-linux\.$/)
      const none = await at.job('./.devcontainer/nixos')
      assert.match(none.error?.message ?? '', /no output 'default'\. It has: app, deep, dep, /)
    })

    test('what is no derivation', async () => {
      const { error } = await at.job(own('string'))
      assert.equal(error?.message, `${own('string')} is not a derivation: it evaluates to a string.`)
    })

    test('a flake that is not there', async () => {
      const rows: [string, RegExp, RegExp][] = [
        ['./nowhere#a', /^\.\/nowhere#a: there is no directory .*\/work\/app\/nowhere\.$/, /checked out/],
        [
          'path:./bin#a',
          /^path:\.\/bin#a: there is no flake\.nix in .*\/work\/app\/bin\.$/,
          /Name the directory/,
        ],
        ['../..#a', /^\.\.\/\.\.#a: there is no flake\.nix in \S+ or above it\.$/, /Name the directory/],
        ['image', /^There is no flake 'image' in the flake registry\.$/, /write \.#image/],
      ]
      const registry = join(at.machine.user.home, 'registry.json')
      await at.machine.plant(registry, '{"version":2,"flakes":[]}')
      for (const [installable, message, advice] of rows) {
        const { error } = await at.job(installable, { args: ['--option', 'flake-registry', registry] })
        assert.match(error?.message ?? '', message)
        assert.match(error?.advice ?? '', advice)
      }
    })

    test('files that git does not track', async () => {
      const file = '.devcontainer/nixos/untracked.nix'
      const { error } = await at.job(own('untracked'))
      assert.equal(error?.message, `${file} is not tracked by git, so Nix does not see it.`)
      assert.match(error.advice ?? '', /git add .devcontainer\/nixos\/untracked.nix/)
      assert.deepEqual(error.place, { file })

      await at.run('mkdir', 'new')
      await at.machine.plant(join(at.workspace, 'new/flake.nix'), '{ outputs = _: { }; }')
      const flake = await at.job('./new#a')
      assert.equal(flake.error?.message, 'new/flake.nix is not tracked by git, so Nix does not see it.')
      await at.run('rm', '-r', 'new')
    })

    test('errors in Nix code are placed at the innermost line of the workspace', async () => {
      const throws = await at.job(own('throws'))
      const line = await lineOf('throws = ')
      assert.match(
        throws.error?.message ?? '',
        /cannot be evaluated at \.devcontainer\/nixos\/flake\.nix:\d+: this is not for you/,
      )
      assert.deepEqual(throws.error?.place, { file: '.devcontainer/nixos/flake.nix', line })
      assert.match(throws.error?.detail ?? '', /error: this is not for you/)
      assert.ok(
        !/^\s*::error/m.test(`${throws.error?.message}\n${throws.error?.detail}\n${throws.log.join('\n')}`),
      )

      const deep = await at.job(own('deep'))
      assert.deepEqual(deep.error?.place, { file: '.devcontainer/nixos/deep.nix', line: 4 })
    })

    test('a build that evaluation needs fails as a build does', async () => {
      const { error, evaluated } = await at.job(own('imported'))
      assert.equal(error?.message, 'imported failed to build: builder failed with exit code 5')
      assert.deepEqual(evaluated, [])
    })

    test('what another machine would have to build', async () => {
      const system = await at.job(own('other-system'))
      const other = release.system === 'x86_64-linux' ? 'aarch64-linux' : 'x86_64-linux'
      assert.equal(
        system.error?.message,
        `other-system can only be built on ${other}, and this runner is ${release.system}.`,
      )
      assert.match(system.error?.advice ?? '', /runs-on/)
      const features = await at.job(own('other-features'))
      assert.match(
        features.error?.message ?? '',
        /^other-features needs a builder with the features of-the-moon/,
      )
      assert.match(features.error?.advice ?? '', /system-features/)
    })

    test('what cannot be downloaded, by a build, an evaluation or as a flake', async () => {
      const quick = { args: ['--option', 'download-attempts', '1'] }
      const build = await at.job(own('unreachable'), quick)
      assert.match(
        build.error?.message ?? '',
        /^unreachable failed to build: .*Could not download http:\/\/127\.0\.0\.1:1\/source/,
      )
      assert.match(build.error?.advice ?? '', /can be reached/)
      const source = await at.job(own('unreachable-source'), quick)
      assert.match(source.error?.message ?? '', /^Could not download http:\/\/127\.0\.0\.1:1\/x: /)
      const flake = await at.job('http://127.0.0.1:1/flake.tar.gz#image', quick)
      assert.match(
        flake.error?.message ?? '',
        /^The flake http:.*flake\.tar\.gz cannot be fetched: Could not download/,
      )
      const git = await at.job('git+https://127.0.0.1:1/x#image')
      assert.match(
        git.error?.message ?? '',
        /^The flake git\+https:\/\/127\.0\.0\.1:1\/x cannot be fetched: /,
      )
      assert.match(git.error?.detail ?? '', /fatal: unable to access/)
    })

    test('flakes that cannot be read: wrong syntax, an input that changed, an input that is gone', async () => {
      const { machine, workspace, run, job } = at
      const file = join(workspace, 'inputs/flake.nix')
      const input = join(machine.user.home, 'input.tar.gz')
      await machine.plant(join(machine.user.home, 'input/flake.nix'), '{ outputs = _: { name = "x"; }; }')
      await run('tar', '-C', machine.user.home, '-czf', input, 'input')
      await machine.plant(
        file,
        `{
          inputs.input.url = "file://${input}";
          outputs = { self, input }: {
            packages.${release.system}.a = derivation {
              inherit (input) name;
              system = "${release.system}";
              builder = "/bin/sh";
            };
          };
        }`,
      )
      await run('git', 'add', 'inputs')
      await run('nix', 'flake', 'lock', './inputs')
      await run('git', 'add', 'inputs')
      await run('sed', '-i', 's/"narHash": "sha256-..../"narHash": "sha256-AAAA/', 'inputs/flake.lock')
      await run('rm', '-rf', join(machine.user.home, '.cache/nix'))
      const changed = await job('./inputs#a')
      assert.match(changed.error?.message ?? '', /^The hash of input file:.*input\.tar\.gz is wrong:\n.*AAAA/)
      assert.match(changed.error?.advice ?? '', /nix flake update/)
      assert.deepEqual(changed.error?.place, { file: 'inputs/flake.lock', line: 6 })

      await run('rm', 'inputs/flake.lock', input)
      await run('rm', '-rf', join(machine.user.home, '.cache/nix'))
      const gone = await job('./inputs#a')
      assert.match(gone.error?.message ?? '', /^The flake file:.*input\.tar\.gz cannot be fetched: /)

      await machine.plant(file, '{\n  outputs = }\n')
      const syntax = await job('./inputs#a')
      assert.match(syntax.error?.message ?? '', /at inputs\/flake\.nix:2: syntax error/)
      assert.deepEqual(syntax.error?.place, { file: 'inputs/flake.nix', line: 2 })

      await run('git', 'rm', '--quiet', '-r', '--force', 'inputs')
    })

    test('an option that Nix does not know is named as an input', async () => {
      const { error } = await at.job('.#image', { args: ['--no-such-option'] })
      assert.equal(error?.message, "nix-args: unrecognised flag '--no-such-option'")
      const bare = await at.job('.#image', { args: ['--override-input'] })
      assert.match(bare.error?.message ?? '', /--log-format/)
    })

    test('arguments of the user reach evaluation and build', async () => {
      const { error } = await at.job(own('dep'), { args: ['--impure', '--rebuild'] })
      assert.match(error?.message ?? '', /^nix-args: .*--rebuild/)
      const impure = await at.job(own('dep'), {
        args: ['--impure', '--override-input', 'x', 'path:/x', '-v'],
      })
      assert.equal(impure.error, undefined)
    })
  })

  test(`Nix ${release.version}: the same through a daemon`, { skip }, async () => {
    const at = await prepare(sample, release, { user: 'root' })
    try {
      at.machine.start(['nix-daemon'], { env: at.env })
      await at.run('sh', '-c', 'until [ -S /nix/var/nix/daemon-socket/socket ]; do :; done')
      const env = { NIX_REMOTE: 'daemon' }
      const good = await at.job(own('app'), { env })
      assert.deepEqual(
        good.realised?.builds.map(build => build.name),
        ['dep-1.0', 'app-2.0'],
      )
      assert.ok(good.log.includes('dep-1.0> building dep'))
      const bad = await at.job(own('fails-below'), { env })
      assert.equal(bad.error?.message, 'fails-3.1 failed to build: builder failed with exit code 3')
      assert.match(bad.error.detail ?? '', /^The end of its log:\n> line 11\n(.*\n){28}> line 40$/)
      const hash = await at.job(own('wrong-sri'), { env })
      assert.equal(hash.error?.place?.line, await lineOf('wrong-sri = '))
      const code = await at.job(own('deep'), { env })
      assert.equal(code.error?.place?.line, 4)
    } finally {
      await at.machine.dispose()
    }
  })

  test(`Nix ${release.version}: a full disk is called one`, { skip }, async () => {
    const at = await prepare(sample, release, { user: 'root', nixSize: '250m' })
    try {
      const { error } = await at.job(own('full'))
      assert.match(
        error?.message ?? '',
        /^The disk is full( while building full)?: .*No space left on device$/,
      )
      assert.match(error?.detail ?? '', /^\/nix: now \d.* free of 250 MiB/)
      assert.match(error?.advice ?? '', /Free space before this step/)
    } finally {
      await at.machine.dispose()
    }
  })

  test(`Nix ${release.version}: a checkout of another user's`, {
    skip: skip || Machine.withoutUsers(),
  }, async () => {
    const at = await prepare(sample, release, { user: 'runner' })
    try {
      await expect(at.machine.run(['chown', '-R', '0:0', at.workspace], { as: 'root' }))
      const { error } = await at.job('.#image')
      assert.match(error?.message ?? '', /belong to another user/)
      assert.match(error?.advice ?? '', /safe\.directory \/home\/runner\/work\/app/)
    } finally {
      await at.machine.dispose()
    }
  })
}
