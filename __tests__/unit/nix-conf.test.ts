import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ConfOptions, removeToken, renderNixConf, userSandbox, writeConf } from '../../src/nix/conf.ts'

const options: ConfOptions = {
  version: '2.34.8',
  withoutBuildUsers: false,
  sandbox: true,
  trusted: true,
  substituter: 'http://127.0.0.1:5000?trusted=1&priority=1',
  substituters: ['https://a.example', 'https://b.example'],
  trustedPublicKeys: ['a:key=', 'b:key='],
  extra: '',
}
const lines = (more: Partial<ConfOptions> = {}) => renderNixConf({ ...options, ...more }).split('\n')

test('the whole of it', () => {
  assert.equal(
    renderNixConf(options),
    `connect-timeout = 10
log-lines = 50
max-jobs = auto
fallback = true
max-substitution-jobs = 128
http-connections = 128
always-allow-substitutes = true
sandbox = true
sandbox-fallback = false
extra-experimental-features = nix-command flakes
extra-substituters = http://127.0.0.1:5000?trusted=1&priority=1 https://a.example https://b.example
extra-trusted-public-keys = a:key= b:key=
!include access-tokens.conf
`,
  )
})

test('what a version does not know is left out', () => {
  assert.ok(!lines({ version: '2.18.9' }).some(line => line.startsWith('always-allow')))
  assert.ok(lines({ version: '2.19' }).some(line => line.startsWith('always-allow')))
})

test('root has no build users, a machine keeps its sandbox, no sandbox means none', () => {
  assert.ok(lines({ withoutBuildUsers: true }).includes('build-users-group ='))
  assert.ok(!lines({ sandbox: undefined }).some(line => line.startsWith('sandbox')))
  assert.deepEqual(
    lines({ sandbox: false }).filter(line => line.startsWith('sandbox')),
    ['sandbox = false'],
  )
})

test('a daemon that does not trust the user is told nothing that it would refuse', () => {
  assert.deepEqual(lines({ trusted: false, sandbox: undefined }), [
    'connect-timeout = 10',
    'extra-experimental-features = nix-command flakes',
    '!include access-tokens.conf',
    '',
  ])
})

test("the user's lines win over single values and cannot take the lists away", () => {
  const made = lines({
    extra: '# mine\nmax-jobs = 1\r\n\n  substituters = https://c.example # only\nsandbox = relaxed\n',
  })
  const at = (line: string) => made.indexOf(line)
  assert.ok(at('max-jobs = 1') > at('max-jobs = auto'))
  assert.ok(at('sandbox = relaxed') > at('sandbox = true'))
  assert.ok(!made.includes('sandbox-fallback = false'))
  const substituters = at('substituters = https://c.example')
  assert.ok(substituters > 0 && substituters < made.findIndex(line => line.startsWith('extra-substituters')))
})

test('a line that Nix cannot read is refused, by its number', () => {
  for (const bad of ['cores', 'cores=2', 'cores : 2', 'include a b', '= 2']) {
    assert.throws(() => renderNixConf({ ...options, extra: `a = b\n${bad}` }), {
      name: 'UserError',
      message: `nix-conf: line 2 is not a setting: '${bad}'`,
    })
  }
  for (const good of ['cores =', 'extra-a = b = c', 'include /x', '!include ./x']) lines({ extra: good })
})

test('what the user says of the sandbox', () => {
  assert.equal(userSandbox('sandbox = true\nsandbox = relaxed # x'), 'relaxed')
  assert.equal(userSandbox('sandbox-paths = /a\n# sandbox = false'), undefined)
})

test('the token is in a file of its own, for one pair of eyes, and goes away', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nix conf '))
  try {
    const file = join(folder, 'sub', 'nix.conf')
    const token = { host: 'github.com', token: 'ghs_planted' }
    await writeConf(file, options, token)
    await writeConf(file, options, token)
    assert.deepEqual((await readdir(join(folder, 'sub'))).sort(), ['access-tokens.conf', 'nix.conf'])
    assert.equal((await stat(join(folder, 'sub'))).mode & 0o777, 0o700)
    for (const name of ['nix.conf', 'access-tokens.conf'])
      assert.equal((await stat(join(folder, 'sub', name))).mode & 0o777, 0o600)
    assert.ok(!(await readFile(file, 'utf8')).includes('planted'))
    const secret = await readFile(join(folder, 'sub', 'access-tokens.conf'), 'utf8')
    assert.equal(secret, 'extra-access-tokens = github.com=ghs_planted\n')

    await removeToken(file)
    await removeToken(file)
    assert.deepEqual(await readdir(join(folder, 'sub')), ['nix.conf'])

    await writeFile(join(folder, 'other'), 'theirs')
    await symlink('../other', join(folder, 'sub', 'access-tokens.conf'))
    await writeConf(file, options, token)
    assert.equal(await readFile(join(folder, 'other'), 'utf8'), 'theirs', 'no link is written through')
    await writeConf(file, options, undefined)
    assert.deepEqual(await readdir(join(folder, 'sub')), ['nix.conf'], 'without a token the old one is gone')
  } finally {
    await rm(folder, { recursive: true })
  }
})
