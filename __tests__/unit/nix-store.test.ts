import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isTrusted, plainStore } from '../../src/nix/store.ts'

/** Nix's program is stood in for by a script: what `nix store info` and `nix store ping` do, as shell. */
async function nixThat(t: TestContext, version: string, does: { info: string; ping: string }) {
  const bin = await mkdtemp(join(tmpdir(), 'nix-store-'))
  t.after(() => rm(bin, { recursive: true }))
  const script = `#!/bin/sh\ncase "$*" in *" store info "*) ${does.info};; *" store ping "*) ${does.ping};; esac\n`
  await writeFile(join(bin, 'nix'), script)
  await chmod(join(bin, 'nix'), 0o755)
  return { version, bin, system: 'x86_64-linux', env: { PATH: '/usr/bin:/bin' } }
}

const answer = (trusted: string) => `echo '{"url":"daemon","trusted":${trusted}}'`
const unknown = (name: string) => `echo "error: '${name}' is not a recognised command" >&2; exit 1`
const silent = 'echo "error: cannot connect to socket" >&2; exit 1'

test('the store is asked by the name that this Nix knows, whatever its version', async t => {
  const lix = await nixThat(t, '2.93.3', { info: unknown('info'), ping: answer('1') })
  assert.equal(await isTrusted(lix), true)
  assert.equal(await isTrusted({ ...lix, version: '2.18.9' }), true)
  const nix = await nixThat(t, '2.34.8', { info: answer('false'), ping: unknown('ping') })
  assert.equal(await isTrusted(nix), false)
})

test('a daemon that does not answer is told with its reason', async t => {
  for (const does of [
    { info: unknown('info'), ping: silent },
    { info: silent, ping: unknown('ping') },
  ]) {
    const nix = await nixThat(t, '2.34.8', does)
    await assert.rejects(isTrusted(nix), /does not answer: error: cannot connect to socket/)
  }
})

test('of a store it is told where it is, and neither its settings nor a login', () => {
  for (const [url, told] of [
    ['https://user:s3cret@cache.example/x?trusted=1', 'https://cache.example/x'],
    ['https://s3cret@cache.example', 'https://cache.example'],
    ['https://cache.example/?priority=1', 'https://cache.example'],
    ['s3://bucket?profile=p&region=r', 's3://bucket'],
    ['ssh-ng://builder@host?ssh-key=/k', 'ssh-ng://builder@host'],
    ['ssh://builder:s3cret@host', 'ssh://host'],
    ['https://cache.example/a@b', 'https://cache.example/a@b'],
    ['local', 'local'],
  ] as const)
    assert.equal(plainStore(url), told)
})
