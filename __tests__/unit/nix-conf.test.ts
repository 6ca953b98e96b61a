import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  type ConfOptions,
  removeSecrets,
  renderNixConf,
  userNetrc,
  userSandbox,
  writeConf,
} from '../../src/nix/conf.ts'
import { earlierConfFiles, placesIn } from '../../src/places.ts'

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

test('only a store that is thrown away goes without waiting for the disk', () => {
  const unsafe = 'fsync-metadata = false'
  assert.deepEqual([lines().includes(unsafe), lines({ thrownAway: true }).includes(unsafe)], [false, true])
  assert.ok(!lines({ thrownAway: true, trusted: false }).includes(unsafe))
})

test('root has no build users, a machine keeps its sandbox, no sandbox means none', () => {
  assert.ok(lines({ withoutBuildUsers: true }).includes('build-users-group ='))
  assert.ok(!lines({ sandbox: undefined }).some(line => line.startsWith('sandbox')))
  assert.deepEqual(
    lines({ sandbox: false }).filter(line => line.startsWith('sandbox')),
    ['sandbox = false'],
  )
  const groups = 'require-drop-supplementary-groups = false'
  assert.deepEqual([lines().includes(groups), lines({ keepGroups: true }).includes(groups)], [false, true])
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
      message: `line 2 is not a setting: '${bad}'`,
    })
  }
  for (const good of ['cores =', 'extra-a = b = c', 'include /x', '!include ./x']) lines({ extra: good })
})

test('what the user says of the sandbox', () => {
  assert.equal(userSandbox('sandbox = true\nsandbox = relaxed # x'), 'relaxed')
  assert.equal(userSandbox('sandbox-paths = /a\n# sandbox = false'), undefined)
})

test('logins are in a file of their own, which nix.conf names', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nix conf '))
  try {
    const file = join(folder, 'nix.conf')
    const netrc = 'machine h login u password planted\n'
    await writeConf(file, options, { token: undefined, netrc })
    const text = await readFile(file, 'utf8')
    assert.match(text, new RegExp(`^netrc-file = ${join(folder, 'netrc')}$`, 'm'))
    assert.ok(!text.includes('planted'))
    assert.equal(await readFile(join(folder, 'netrc'), 'utf8'), netrc)
    assert.equal((await stat(join(folder, 'netrc'))).mode & 0o777, 0o600)
    await removeSecrets(file)
    assert.deepEqual(await readdir(folder), ['nix.conf'])
    // A daemon that does not trust the user would refuse the setting.
    assert.ok(!lines({ netrcFile: '/x', trusted: false }).some(line => line.startsWith('netrc')))
    assert.deepEqual([userNetrc('a = b\n netrc-file = /x'), userNetrc('# netrc-file = /x')], [true, false])
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('the token is in a file of its own, for one pair of eyes, and goes away', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nix conf '))
  try {
    const file = join(folder, 'sub', 'nix.conf')
    const token = { host: 'github.com', token: 'ghs_planted' }
    await writeConf(file, options, { token })
    await writeConf(file, options, { token })
    assert.deepEqual((await readdir(join(folder, 'sub'))).sort(), ['access-tokens.conf', 'nix.conf'])
    assert.equal((await stat(join(folder, 'sub'))).mode & 0o777, 0o700)
    for (const name of ['nix.conf', 'access-tokens.conf'])
      assert.equal((await stat(join(folder, 'sub', name))).mode & 0o777, 0o600)
    assert.ok(!(await readFile(file, 'utf8')).includes('planted'))
    const secret = await readFile(join(folder, 'sub', 'access-tokens.conf'), 'utf8')
    assert.equal(secret, 'extra-access-tokens = github.com=ghs_planted\n')

    await removeSecrets(file)
    await removeSecrets(file)
    assert.deepEqual(await readdir(join(folder, 'sub')), ['nix.conf'])

    await writeFile(join(folder, 'other'), 'theirs')
    await symlink('../other', join(folder, 'sub', 'access-tokens.conf'))
    await writeConf(file, options, { token })
    assert.equal(await readFile(join(folder, 'other'), 'utf8'), 'theirs', 'no link is written through')
    await writeConf(file, options, { token: undefined })
    assert.deepEqual(await readdir(join(folder, 'sub')), ['nix.conf'], 'without a token the old one is gone')
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('a later step has its own token: that of an earlier one goes, and nothing else of it or of anybody', async () => {
  const temp = await mkdtemp(join(tmpdir(), 'nix conf '))
  try {
    const files = ['nix-image-action-1', 'nix-image-action-2', 'theirs'].map(name =>
      join(temp, name, 'nix.conf'),
    )
    const [first = '', second = '', theirs = ''] = files
    const token = { host: 'github.com', token: 'planted' }
    for (const file of [first, theirs]) await writeConf(file, options, { token, netrc: 'n' })
    const confFiles = [second, first, theirs, join(temp, 'nix-image-action-1', 'other.conf')].join(':')
    const earlier = earlierConfFiles(placesIn(join(temp, 'nix-image-action-2')), confFiles)
    assert.deepEqual(earlier, [first])

    await writeConf(second, options, { token: undefined, earlier })
    const all = ['access-tokens.conf', 'netrc', 'nix.conf']
    assert.deepEqual((await readdir(join(temp, 'nix-image-action-1'))).sort(), all, 'it has no other')
    await writeConf(second, options, { token, earlier: [...earlier, join(temp, 'gone', 'nix.conf')] })
    assert.deepEqual((await readdir(join(temp, 'nix-image-action-1'))).sort(), ['netrc', 'nix.conf'])
    assert.deepEqual((await readdir(join(temp, 'theirs'))).sort(), all)
    assert.deepEqual((await readdir(join(temp, 'nix-image-action-2'))).sort(), [all[0], all[2]])
  } finally {
    await rm(temp, { recursive: true })
  }
})

test('the key that a killed copy left is removed as well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nix conf '))
  try {
    await writeFile(join(folder, 'ssh-key'), 'planted')
    await removeSecrets(join(folder, 'nix.conf'))
    assert.deepEqual(await readdir(folder), [])
  } finally {
    await rm(folder, { recursive: true })
  }
})
