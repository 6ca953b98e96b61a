import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseBuilders, renderBuilders, renderSshConfig } from '../../src/nix/builders.ts'
import { emulated } from '../../src/nix/emulation.ts'
import { UserError } from '../../src/util/errors.ts'

const arm = 'ssh-ng://nix@arm.example:2222 aarch64-linux - 8 2 big-parallel - c3NoLWVkMjU1MTk='

test('machines are given to Nix as they were written, with our key where they name none', () => {
  const builders = parseBuilders(`
    # two of them
    ${arm}
    nix@other.example   x86_64-linux,i686-linux /root/key; ssh://last`)
  assert.equal(
    renderBuilders(builders, '/tmp/key'),
    'ssh-ng://nix@arm.example aarch64-linux /tmp/key 8 2 big-parallel - c3NoLWVkMjU1MTk=\n' +
      'ssh://nix@other.example x86_64-linux,i686-linux /root/key - - - - -\n' +
      'ssh://last - /tmp/key - - - - -\n',
  )
  assert.match(renderBuilders(builders, undefined), /^ssh:\/\/last - - - - - - -$/m)
  assert.deepEqual(parseBuilders(''), [])
})

test('ssh is told the port and whether the key of the host is known; what is said first counts', () => {
  const text = renderSshConfig(parseBuilders(`${arm}\nssh-ng://b`), true)
  const [first = ''] = text.split('Host *')
  assert.equal(
    first,
    'Host arm.example\n  Port 2222\n  HostKeyAlias arm.example\n  StrictHostKeyChecking yes\nHost b\n',
  )
  assert.match(text, /^ {2}StrictHostKeyChecking accept-new$/m)
  assert.match(text, /^ {2}IdentitiesOnly yes$/m)
  assert.doesNotMatch(renderSshConfig([], false), /IdentitiesOnly/)
})

test('what is no machine is refused, and no password is in the words', () => {
  for (const [text, words] of [
    ['s3://bucket x86_64-linux', /line 1: this is no machine that is reached by ssh/],
    ['qemu://a aarch64-linux', /line 1: this is no machine that is reached by ssh/],
    ['aarch64-linux', /line 1: this is no machine/],
    ['ssh-ng://h arm64', /line 1: arm64 is no system/],
    ['ssh-ng://a:hunter2@host', /holds a password/],
    ['ssh-ng://-oProxyCommand=touch', /no machine/],
    ['ssh-ng://host x86_64-linux - many', /the fourth and fifth field are numbers/],
    ['ssh-ng://host - - 1 1 - - x more', /more fields than Nix reads/],
    ['ssh-ng://a@host:22\nssh-ng://b@host:23', /host has two ports/],
  ] as const) {
    assert.throws(
      () => parseBuilders(text),
      error => {
        assert.ok(error instanceof UserError)
        assert.match(error.message, words)
        assert.doesNotMatch(error.message, /hunter2/)
        return true
      },
    )
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      try {
        const rendered = renderBuilders(parseBuilders(text), '/k')
        for (const line of rendered.split('\n').filter(Boolean)) assert.equal(line.split(' ').length, 8)
      } catch (error) {
        assert.ok(error instanceof UserError)
      }
    }),
  )
})

test('emulators count where they are switched on and a sandbox can use them', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'binfmt-'))
  t.after(() => rm(folder, { recursive: true }))
  const entry = (state: string, flags: string) =>
    `${state}\ninterpreter /usr/bin/qemu-x\nflags: ${flags}\noffset 0\nmagic 7f454c46\nmask ffffffff\n`
  await writeFile(join(folder, 'qemu-aarch64'), entry('enabled', 'POCF'))
  await writeFile(join(folder, 'qemu-arm'), entry('disabled', 'F'))
  await writeFile(join(folder, 'qemu-riscv64'), entry('enabled', 'OC'))
  const all = ['aarch64-linux', 'armv7l-linux', 'riscv64-linux', 's390x-linux', 'strange-linux']
  assert.deepEqual(await emulated(all, folder), ['aarch64-linux'])
  assert.deepEqual(await emulated(all, join(folder, 'none')), [])
})
