import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { measureOf } from '../../src/nix/evidence.ts'
import { othersKeys } from '../../src/nix/signatures.ts'

/** Nix's program is stood in for by a script that says these settings. Key files are beside it. */
async function nixWith(t: TestContext, trusted: string, secretKeys: readonly (readonly [string, string])[]) {
  const bin = await mkdtemp(join(tmpdir(), 'nix-signatures-'))
  t.after(() => rm(bin, { recursive: true }))
  for (const [name, content] of secretKeys) if (content !== '') await writeFile(join(bin, name), content)
  const files = secretKeys.map(([name]) => join(bin, name)).join(' ')
  const script = `#!/bin/sh\necho 'secret-key-files = ${files}'\necho 'trusted-public-keys = ${trusted}'\n`
  await writeFile(join(bin, 'nix'), script)
  await chmod(join(bin, 'nix'), 0o755)
  return { version: '2.34.8', bin, system: 'x86_64-linux', env: { PATH: '/usr/bin:/bin' } }
}

test('keys of others are those that are trusted and not our own', async t => {
  const trusted = 'cache.nixos.org-1:AAAA= team-1:BBBB= here-1:CCCC='
  const all = await nixWith(t, trusted, [])
  assert.deepEqual([...(await othersKeys(all))], ['cache.nixos.org-1', 'team-1', 'here-1'])
  const some = await nixWith(t, trusted, [['key', 'here-1:DDDD=\n'] as const])
  assert.deepEqual([...(await othersKeys(some))], ['cache.nixos.org-1', 'team-1'])
  const none = await nixWith(t, '', [])
  assert.deepEqual([...(await othersKeys(none))], [])
})

test('where a key of our own cannot be read any may be ours, but that of cache.nixos.org', async t => {
  const keys = [['key', 'here-1:DDDD='] as const, ['not-there', ''] as const]
  const nix = await nixWith(t, 'cache.nixos.org-1:AAAA= team-1:BBBB=', keys)
  assert.deepEqual([...(await othersKeys(nix))], ['cache.nixos.org-1'])
  assert.deepEqual([...(await othersKeys(await nixWith(t, 'team-1:BBBB=', keys)))], [])
})

test('with ca-derivations a path that is named by its content may be another than the one asked for', async t => {
  const nix = await nixWith(t, '', [])
  assert.equal((await measureOf(nix)).namesResultsByContent, false)
  for (const [features, expected] of [
    ['flakes nix-command', false],
    ['ca-derivations flakes nix-command', true],
  ] as const) {
    await writeFile(join(nix.bin, 'nix'), `#!/bin/sh\necho 'experimental-features = ${features}'\n`)
    assert.equal((await measureOf(nix)).namesResultsByContent, expected)
  }
})
