import assert from 'node:assert/strict'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  cloudVariables,
  findCertificates,
  nixEnvironment,
  trustedOwner,
  userConfFiles,
  withoutCloud,
} from '../../src/nix/environment.ts'
import { Machine } from '../harness/machine.ts'

const account = { name: 'runner', home: '/home/runner', uid: 1001, gid: 1001 }
const make = (env: NodeJS.ProcessEnv, more: { ours?: boolean; bin?: string; certificates?: string } = {}) =>
  nixEnvironment({
    ...{
      env,
      account,
      bin: '/nix/store/x/bin',
      confFile: '/tmp/nix.conf',
      certificates: undefined,
      ours: true,
    },
    ...more,
  })

test('inputs, tokens of the runner and foreign libraries stay out; everything else goes in', () => {
  const env = {
    INPUT_PASSWORD: 'secret',
    'INPUT_GITHUB-TOKEN': 'secret',
    ACTIONS_RUNTIME_TOKEN: 'secret',
    ACTIONS_RESULTS_URL: 'secret',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'secret',
    STATE_x: 'secret',
    LD_LIBRARY_PATH: 'secret',
    NODE_OPTIONS: 'secret',
    GITHUB_SHA: 'kept',
    https_proxy: 'kept',
    AWS_PROFILE: 'kept',
    NIX_CONFIG: 'kept',
  }
  const made = make(env)
  assert.ok(!JSON.stringify(made).includes('secret'))
  assert.deepEqual(
    Object.keys(made)
      .filter(name => made[name] === 'kept')
      .sort(),
    ['AWS_PROFILE', 'GITHUB_SHA', 'NIX_CONFIG', 'https_proxy'],
  )
})

test('the keys of a cloud are told from the rest', () => {
  const env = { AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'r', NOT_AWS_: 'x', PATH: '/bin' }
  assert.deepEqual(cloudVariables(env), { AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'r' })
  assert.deepEqual(withoutCloud(env), { NOT_AWS_: 'x', PATH: '/bin' })
})

test('behind a proxy our cache on this machine is reached without it', () => {
  const lists = (env: NodeJS.ProcessEnv) => {
    const { no_proxy, NO_PROXY } = make(env)
    return [no_proxy, NO_PROXY]
  }
  for (const name of ['http_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'HTTP_PROXY', 'https_proxy']) {
    assert.deepEqual(lists({ [name]: 'http://p:1' }), ['127.0.0.1', '127.0.0.1'], name)
  }
  const proxy = { https_proxy: 'http://p:1' }
  assert.deepEqual(lists({ ...proxy, NO_PROXY: '.corp, b' }), ['.corp,b,127.0.0.1', '.corp,b,127.0.0.1'])
  assert.deepEqual(lists({ ...proxy, no_proxy: 'a', NO_PROXY: '127.0.0.1,b' }), [
    'a,127.0.0.1',
    '127.0.0.1,b',
  ])
  assert.deepEqual(lists({ ...proxy, no_proxy: '*' }), ['*', '*'])
  assert.deepEqual(lists({ no_proxy: 'a', https_proxy: '' }), ['a', undefined])
})

test('Nix comes first in PATH, once', () => {
  assert.equal(make({ PATH: '/bin:/nix/store/x/bin:/usr/bin' }).PATH, '/nix/store/x/bin:/bin:/usr/bin')
  assert.match(make({}).PATH ?? '', /^\/nix\/store\/x\/bin:.*\/usr\/bin/)
})

test('HOME and USER are there also where a container has none', () => {
  const { HOME, USER } = make({ HOME: '' })
  assert.deepEqual({ HOME, USER }, { HOME: '/home/runner', USER: 'runner' })
  const github = make({ HOME: '/github/home', USER: 'me' })
  assert.deepEqual([github.HOME, github.USER], ['/github/home', 'me'])
})

test('only our own Nix is kept from another store', () => {
  const env = { NIX_REMOTE: 'daemon', NIX_STORE_DIR: '/elsewhere', NIX_PATH: 'nixpkgs=/n' }
  assert.deepEqual(
    Object.keys(make(env)).filter(name => name in env),
    ['NIX_PATH'],
  )
  assert.deepEqual(
    Object.keys(make(env, { ours: false })).filter(name => name in env),
    Object.keys(env),
  )
})

test('root trusts whom the workspace belongs to, and nobody else in this way', {
  skip: process.getuid?.() !== 0 ? 'only root can give a folder away' : Machine.withoutUsers(),
}, async t => {
  const root = { uid: 0 }
  const workspace = await mkdtemp(join(tmpdir(), 'workspace-'))
  t.after(() => rm(workspace, { recursive: true }))
  assert.deepEqual(await trustedOwner(workspace, {}, root), {}, "root's own")
  await chown(workspace, 1001, 1001)
  assert.deepEqual(await trustedOwner(workspace, {}, root), { SUDO_UID: '1001' })
  assert.deepEqual(await trustedOwner(workspace, { SUDO_UID: '5' }, root), { SUDO_UID: '5' })
  assert.deepEqual(await trustedOwner(workspace, {}, account), {})
  for (const none of [undefined, '', join(workspace, 'none')])
    assert.deepEqual(await trustedOwner(none, {}, root), {}, none)
})

test("our nix.conf comes before the user's own", () => {
  const files = (env: NodeJS.ProcessEnv) => userConfFiles('/ours', { HOME: '/h', ...env })
  assert.equal(files({}), '/ours:/h/.config/nix/nix.conf:/etc/xdg/nix/nix.conf')
  assert.equal(
    files({ XDG_CONFIG_HOME: '/c', XDG_CONFIG_DIRS: '/a:/b' }),
    '/ours:/c/nix/nix.conf:/a/nix/nix.conf:/b/nix/nix.conf',
  )
  assert.equal(files({ NIX_USER_CONF_FILES: '/mine' }), '/ours:/mine')
  assert.equal(
    files({ NIX_USER_CONF_FILES: files({ NIX_USER_CONF_FILES: '/mine' }) }),
    '/ours:/mine',
    'twice',
  )
})

test('certificates: what the environment names, else what is there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'certificates-'))
  const file = join(folder, 'ca.pem')
  await writeFile(file, '')
  try {
    assert.equal(await findCertificates({ NIX_SSL_CERT_FILE: file }, undefined), file)
    assert.equal(
      await findCertificates({ NIX_SSL_CERT_FILE: '/nonexistent', SSL_CERT_FILE: file }, '/x'),
      file,
    )
    assert.ok((await findCertificates({}, file)) !== undefined)
  } finally {
    await rm(folder, { recursive: true })
  }
})
