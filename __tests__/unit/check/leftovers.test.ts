import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leftoverRule } from '../../../src/check/files/leftovers.ts'
import { hasToken } from '../../../src/check/files/secrets.ts'
import { toolchainRule } from '../../../src/check/files/toolchain.ts'
import { type Files, findingsOf, inspected } from '../../harness/inspected.ts'

const store = (name: string) => `/nix/store/${'0'.repeat(32)}-${name}`
// Put together here, so that nobody takes this file for one that holds a key.
const key = (kind: string) =>
  `-----BEGIN ${kind}PRIVATE ${'KEY'}-----\nMIIEow\n-----END ${kind}PRIVATE ${'KEY'}-----\n`
const found = (files: Files, env: Record<string, string> = {}) => findingsOf(leftoverRule, files, { env })

test('private keys, whoever made them', async () => {
  assert.deepEqual(
    (
      await found({
        '/root/.ssh/id_ed25519': key('OPENSSH '),
        '/srv/tls/server.key': key(''),
        '/srv/tls/both.pem': `-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n${key('RSA ')}`,
        '/etc/ssh/ssh_host_ecdsa_key': key('EC '),
        [store('id_rsa')]: key('RSA '),
        [`${store('source')}/deploy.key`]: key(''),
        [`${store('openssl-3.6')}/share/app.pem`]: key(''),
      })
    ).sort(),
    [
      'private-key warning /root/.ssh/id_ed25519',
      'private-key warning /srv/tls/both.pem',
      'private-key warning /etc/ssh/ssh_host_ecdsa_key',
      `private-key warning ${store('id_rsa')}`,
      `private-key warning ${store('source')}/deploy.key`,
      `private-key hint ${store('openssl-3.6')}/share/app.pem`,
    ].sort(),
  )
})

test("what is no private key, or is nobody's", async () => {
  assert.deepEqual(
    await found({
      '/root/.ssh/id_ed25519.pub': 'ssh-ed25519 AAAA',
      '/etc/ssl/certs/ca.pem': '-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n',
      '/etc/ssl/public.key': '-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----\n',
      '/usr/share/doc/openssl/demo.key': key(''),
      '/etc/ssl/private/ssl-cert-snakeoil.key': key(''),
      [`${store('python3-3.13')}/lib/python3.13/test/certdata/ssl_key.pem`]: key(''),
      [`${store('node-26')}/lib/node_modules/agent/key.pem`]: key(''),
      '/srv/keys.txt': key(''),
      '/srv/link.key': { link: '/usr/share/doc/openssl/demo.key' },
      '/srv/large.key': `${key('')}${'\n'.repeat(100_000)}`,
    }),
    [],
  )
})

test('credentials in the files in which tools keep them', async () => {
  const files = {
    '/root/.netrc': 'machine github.com login me password hunter2\n',
    '/home/app/.npmrc': '//registry.npmjs.org/:_authToken=npm_abcdef\n',
    '/root/.docker/config.json': '{"auths": {"ghcr.io": {"auth": "bWU6aHVudGVyMg=="}}}',
    '/root/.aws/credentials': '[default]\naws_access_key_id = A\naws_secret_access_key = B\n',
    '/root/.git-credentials': 'https://me:hunter2@github.com\n',
    '/root/.pypirc': '[pypi]\nusername = me\npassword = hunter2\n',
    '/etc/nix/nix.conf': 'access-tokens = github.com=hunter2\n',
    '/srv/app/.env': 'PORT=80\nDATABASE_PASSWORD="hunter2"\n',
    [`${store('source')}/.env`]: 'export API_TOKEN=hunter2\n',
  }
  const expected = Object.keys(files).map(path => `secret warning ${path}`)
  assert.deepEqual((await found(files)).sort(), expected.sort())
  await using image = await inspected(files, { env: { API_TOKEN: 'hunter2', URL: `x${key('')}` } })
  for (const finding of leftoverRule.inspect(image.subject))
    assert.doesNotMatch(JSON.stringify(finding), /hunter2|abcdef|MIIE|bWU6/)
})

test('the same files without a secret in them', async () => {
  assert.deepEqual(
    await found({
      '/root/.netrc': 'machine github.com login me\n',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: npm fills it in
      '/home/app/.npmrc': 'registry=https://registry.npmjs.org\n//npm.pkg.github.com/:_authToken=${TOKEN}\n',
      '/root/.docker/config.json': '{"auths": {"ghcr.io": {}}, "credsStore": "pass"}',
      '/srv/config.json': '{"auth": "basic"}',
      '/root/.aws/credentials': '[default]\naws_secret_access_key =\ncredential_process = /bin/creds\n',
      '/root/.git-credentials': '',
      '/root/.pypirc': '[pypi]\nusername = __token__\n\npassword =\n\n[other]\n',
      '/etc/nix/nix.conf': 'experimental-features = nix-command flakes\naccess-tokens =\n',
      '/srv/app/.env':
        'PORT=80\nPASSWORD_FILE=/run/secrets/db\nDATABASE_PASSWORD=\nTOKEN=$OTHER\n# TOKEN=x\n',
      '/srv/credentials': 'aws_secret_access_key = not where it is looked for',
    }),
    [],
  )
})

test('tokens in the environment', async () => {
  const env = {
    GITHUB: `ghp_${'a'.repeat(36)}`,
    DATABASE_PASSWORD: 'postgres',
    AWS_KEY: `AKIA${'A'.repeat(16)}`,
    API_KEY_FILE: '/run/secrets/key',
    SECRET_KEY: '/run/secrets/key',
    TOKEN: '',
    USE_TOKEN: 'true',
    TOKENIZERS_PARALLELISM: 'false',
    KEYRING: 'gpg',
    PATH: '/bin',
    SSL_CERT_FILE: '/etc/ssl/certs/ca-bundle.crt',
    OAUTH_TOKEN_URL: 'https://login.example.com/token',
  }
  assert.deepEqual(await found({}, env), [
    'secret warning Env GITHUB',
    'secret warning Env DATABASE_PASSWORD',
    'secret warning Env AWS_KEY',
  ])
})

test('no store path and no digest is a token', () => {
  const base32 = fc.stringMatching(/^[0-9a-df-np-sv-z]{32}$/)
  const name = fc.stringMatching(/^[a-z][a-z0-9.+-]{0,30}$/)
  fc.assert(fc.property(base32, name, (hash, name) => !hasToken(`/nix/store/${hash}-${name}/bin`)))
  fc.assert(fc.property(fc.stringMatching(/^[0-9a-f]{64}$/), digest => !hasToken(`sha256:${digest}`)))
})

test('git repositories, once for all of them', async () => {
  const clone = (at: string): Files => ({
    [`${at}/.git/HEAD`]: 'ref: refs/heads/main\n',
    [`${at}/.git/config`]: '',
  })
  assert.deepEqual(await found({ ...clone('/srv/app'), ...clone(`${store('source')}`) }), [
    `git warning ${store('source')}/.git`,
  ])
  assert.deepEqual(
    await found({
      '/srv/app/.git': 'gitdir: ../.git/worktrees/app\n',
      '/srv/empty/.git/': '',
      ...clone('/usr/share/tests/fixtures/one'),
    }),
    [],
  )
})

const image: Files = {
  [`${store('redis-7.2')}/bin/redis-server`]: '',
  [`${store('module-1.0')}/lib/module.so`]: '',
  [`${store('gcc-14.3.0')}/bin/gcc`]: '',
  [`${store('gcc-14.3.0-lib')}/lib/libstdc++.so.6`]: '',
  [`${store('binutils-2.44')}/bin/ld`]: '',
  [`${store('glibc-2.40-66-dev')}/include/stdio.h`]: '',
  [`${store('glibc-2.40-66')}/lib/libc.so.6`]: '',
}
const references = {
  [store('redis-7.2')]: [store('module-1.0'), store('glibc-2.40-66')],
  [store('module-1.0')]: [store('gcc-14.3.0'), store('gcc-14.3.0-lib')],
  [store('gcc-14.3.0')]: [store('binutils-2.44'), store('glibc-2.40-66-dev')],
}

test('toolchain: said once, with who brings it', async () => {
  await using made = await inspected(
    image,
    { entrypoint: [`${store('redis-7.2')}/bin/redis-server`] },
    references,
  )
  const [finding, ...more] = toolchainRule.inspect(made.subject)
  assert.deepEqual(more, [])
  assert.equal(finding?.place, store('gcc-14.3.0'))
  assert.equal(finding?.severity, 'hint')
  assert.match(finding?.why ?? '', /binutils-2.44, gcc-14.3.0, glibc-2.40-66-dev are in the image/)
  assert.match(finding?.why ?? '', /Why: redis-7.2 → module-1.0 → gcc-14.3.0\.$/)
  assert.match(finding?.fix ?? '', /^In module-1.0: /)
})

test('toolchain: not known who brings it', async () => {
  assert.deepEqual(await findingsOf(toolchainRule, image), [`toolchain hint ${store('binutils-2.44')}`])
})

test('toolchain: an image to build with wants one', async () => {
  const gcc = `${store('gcc-14.3.0')}/bin`
  const quiet = async (files: Files, config: object) =>
    assert.deepEqual(await findingsOf(toolchainRule, files, config, references), [])
  await quiet(image, { env: { PATH: `/bin:${gcc}` } })
  await quiet(image, { entrypoint: [`${gcc}/gcc`] })
  await quiet({ ...image, '/bin/cc': { link: `${gcc}/gcc` } }, {})
  const { [`${store('gcc-14.3.0')}/bin/gcc`]: _, ...without } = image
  const { [`${store('binutils-2.44')}/bin/ld`]: __, ...neither } = without
  const { [`${store('glibc-2.40-66-dev')}/include/stdio.h`]: ___, ...libraries } = neither
  await quiet(libraries, {})
})
