import assert from 'node:assert/strict'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { type NixTarball, nixRelease, readStamp, repository } from '../../script/parts/paths.ts'
import type { Rebuilt } from '../../src/reproduce/rebuild.ts'
import { signingKey } from '../harness/binary-cache.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

const releases = readStamp() === undefined ? [] : nixRelease().releases

/** A line that a builder prints, as Nix itself does for a program that understands it. */
const lie = (text: string) =>
  `printf '%s\\n' ${JSON.stringify(
    `@nix ${JSON.stringify({ action: 'msg', level: 0, msg: text, raw_msg: text })}`,
  ).replaceAll('$', '\\$')} >&2`

const lies = (name: string, system: string) => [
  lie(
    `derivation '/nix/store/${name}.drv' may not be deterministic: output '/srv/secret' differs from '/srv/secret'`,
  ),
  lie(
    `a 'other-linux' with features {} is required to build '/nix/store/${name}.drv', but I am a '${system}'`,
  ),
  lie(`some outputs of '/nix/store/${name}.drv' are not valid, so checking is not possible`),
]

const expression = (system: string) => `let
  bin = builtins.path { name = "bin"; path = /srv/bin; };
  run = name: script: more: derivation ({
    inherit name bin;
    system = "${system}"; builder = "\${bin}/busybox"; args = [ "sh" "-euc" script ];
  } // more);
  image = script: more: run "image" "echo '#!/bin/sh' > $out; \${script}" more;
in rec {
  random = image ''${lies('image', system).join('; ')}; $bin/busybox head -c 32 /dev/urandom >> $out'' { };
  fails = image ''if test -e /srv/mark/built; then ${lies('image', system).join('; ')}; exit 3; fi; echo > /srv/mark/built'' { };
  elsewhere = image "" { requiredSystemFeatures = [ "one-of-its-own" ]; };
  part = run "part" "echo > $out" { };
  refers = image "echo $part >> $out" { inherit part; };
}
`

type Result = {
  readonly path: string
  readonly found: Readonly<
    Record<string, { readonly verdict: Rebuilt['verdict']; readonly [key: string]: unknown }>
  >
  readonly signed: readonly string[]
}

async function prepare(release: NixTarball) {
  const machine = await Machine.create({ user: 'root' })
  const plain = await installByHand(machine, release)
  const busybox = join(repository, '.parts/bin/busybox')
  await expect(
    machine.run(['sh', '-c', 'mkdir -p /srv/bin /srv/mark && cp "$1" /srv/bin/busybox', 'sh', busybox]),
  )
  await machine.plant('/srv/e.nix', expression(release.system))
  const settings = (...lines: readonly string[]) => ({
    ...plain,
    NIX_CONFIG: [plain.NIX_CONFIG, 'extra-sandbox-paths = /srv/mark', ...lines].join('\n'),
  })
  const again = async (name: string, env: Readonly<Record<string, string>> = settings()): Promise<Result> => {
    const { version, storePath, system } = release
    const nix = JSON.stringify({ version, bin: join(storePath, 'bin'), system, env })
    const program = join(import.meta.dirname, 'drivers/second-build.ts')
    const stdout = await expect(machine.run([process.execPath, program, nix, '/srv/e.nix', name], { env }))
    return JSON.parse(/^RESULT (.*)$/m.exec(stdout)?.[1] ?? '')
  }
  return { machine, settings, again, [Symbol.asyncDispose]: () => machine.dispose() }
}

suite('built a second time', { skip: Machine.unavailable() ?? false }, () => {
  for (const release of releases) {
    test(`a builder that prints what Nix would say decides nothing (Nix ${release.version})`, async () => {
      await using prepared = await prepare(release)
      const random = await prepared.again('random')
      assert.deepEqual(random.found, { 'image.drv': { verdict: 'different', kept: random.path } })
      const { found } = await prepared.again('fails')
      assert.equal(found['image.drv']?.verdict, 'failed')
      assert.match(String(found['image.drv']?.error), /^image failed to build: .*exit code 3/)
      const elsewhere = await prepared.again('elsewhere')
      assert.equal(elsewhere.found['image.drv']?.verdict, 'skipped')
      assert.match(String(elsewhere.found['image.drv']?.why), /one-of-its-own/)
    })

    test(`what is signed by a key of this machine is ours (Nix ${release.version})`, async () => {
      await using prepared = await prepare(release)
      const { machine, settings, again } = prepared
      const key = signingKey('here-1')
      await machine.plant('/srv/key', `${key.secret}\n`)
      const trusted = `extra-trusted-public-keys = ${key.public}`
      const env = settings('secret-key-files = /srv/key', trusted)
      const run = (...argv: string[]) => expect(machine.run(argv, { env }))
      const part = (await run('nix-build', '--no-out-link', '/srv/e.nix', '-A', 'part')).trim()
      await run('nix', 'copy', '--to', 'file:///srv/cache', part)
      /** With the part as from a cache: once it was built a second time Nix knows it for built here. */
      const fetched = async (env: Readonly<Record<string, string>>) => {
        await run('sh', '-c', 'nix-store --delete "$1" $(echo /nix/store/*-image)', 'sh', part)
        await run('nix', 'copy', '--from', 'file:///srv/cache', part)
        const { found, signed } = await again('refers', env)
        return { built: Object.keys(found).sort(), signed }
      }
      const theirs = { built: ['image.drv'], signed: [part] }
      const ours = { built: ['image.drv', 'part.drv'], signed: [] }
      await again('refers')
      assert.deepEqual(await fetched(settings(trusted)), theirs)
      assert.deepEqual(await fetched(env), ours)
      assert.deepEqual(await fetched(settings()), ours, 'by a key that is not trusted')
    })
  }
})
