import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../../script/parts/paths.ts'
import { certificatesRule } from '../../../src/check/files/certificates.ts'
import { homeRule } from '../../../src/check/files/home.ts'
import { nameServiceRule } from '../../../src/check/files/name-service.ts'
import { tmpRule } from '../../../src/check/files/tmp.ts'
import { findingsOf, type inspected } from '../../harness/inspected.ts'

const program = { data: readFileSync(join(partsBin, 'busybox')), mode: 0o755 }
const store = '/nix/store/00000000000000000000000000000000-'

test('tmp: missing is as bad as what is there to miss it', async () => {
  const python = { [`${store}python3-3.13/bin/python3`]: program }
  const path = { PATH: `${store}python3-3.13/bin` }
  assert.deepEqual(await findingsOf(tmpRule, {}), ['tmp hint /tmp'])
  assert.deepEqual(await findingsOf(tmpRule, python, { env: path }), ['tmp warning /tmp'])
  assert.deepEqual(await findingsOf(tmpRule, python), ['tmp hint /tmp'])
  assert.deepEqual(
    await findingsOf(tmpRule, python, { entrypoint: [`${store}python3-3.13/bin/python3`, 'app.py'] }),
    ['tmp warning /tmp'],
  )
  assert.deepEqual(await findingsOf(tmpRule, { '/tmp': { link: '/gone' } }), ['tmp hint /tmp'])
  assert.deepEqual(await findingsOf(tmpRule, { '/tmp': 'a file' }), ['tmp hint /tmp'])
  assert.deepEqual(await findingsOf(tmpRule, python, { env: path, volumes: ['/tmp/'] }), [])
  assert.deepEqual(
    await findingsOf(tmpRule, { '/tmp': { link: 'var/tmp' }, '/var/tmp/': { mode: 0o1777 } }),
    [],
  )
})

test('tmp: every applet of busybox is no program that wants it', async () => {
  const files = {
    '/bin/busybox': program,
    '/bin/mktemp': { link: 'busybox' },
    '/bin/bash': { link: 'busybox' },
  }
  assert.deepEqual(await findingsOf(tmpRule, files), ['tmp hint /tmp'])
})

test('tmp: modes', async () => {
  const of = (mode: number, uid = 0, user = '') =>
    findingsOf(tmpRule, { '/tmp/': { mode, uid }, '/var/tmp/': { mode: 0o1777 } }, { user })
  assert.deepEqual(await of(0o1777), [])
  assert.deepEqual(await of(0o755), ['tmp warning /tmp'])
  assert.deepEqual(await of(0o777), ['tmp hint /tmp'])
  assert.deepEqual(await of(0o755, 1000, '1000'), [])
  assert.deepEqual(await of(0o755, 1000, '1001'), ['tmp warning /tmp'])
  assert.deepEqual(await findingsOf(tmpRule, { '/tmp/': { mode: 0o1777 }, '/var/tmp/': { mode: 0o755 } }), [
    'tmp warning /var/tmp',
  ])
})

test('home: of a user who is not root, where somebody means him to have one', async () => {
  const passwd = (home: string) => ({
    '/etc/passwd': `root:x:0:0::/root:/bin/sh\napp:x:1000:100::${home}:/bin/sh\n`,
  })
  const of = (home: string, more = {}, config = {}) =>
    findingsOf(homeRule, { ...passwd(home), ...more }, { user: 'app', ...config })
  assert.deepEqual(await of('/home/app'), ['home warning /etc/passwd'])
  assert.deepEqual(await of('/home/app', { '/home/app/': { uid: 1000, gid: 100 } }), [])
  assert.deepEqual(await of('/home/app', { '/home/app/': {} }), ['home warning /home/app'])
  assert.deepEqual(await of('/home/app', { '/home/app/': { gid: 100, mode: 0o775 } }), [])
  assert.deepEqual(await of('/home/app', {}, { volumes: ['/home'] }), [])
  assert.deepEqual(await of('/home/app', {}, { user: 'root' }), [])
  for (const none of ['/nonexistent', '/var/empty', '/', '']) assert.deepEqual(await of(none), [])
  // As Debian has it for its services.
  assert.deepEqual(await of('/var/www', { '/var/www/': {} }), [])
  assert.deepEqual(await of('/var/empty', {}, { env: { HOME: '/data' } }), ['home warning Env HOME'])
  assert.deepEqual(await of('/var/empty', { '/data/': {} }, { env: { HOME: '/data' } }), [
    'home warning /data',
  ])
  assert.deepEqual(await findingsOf(homeRule, {}, { user: '999:999' }), [])
  assert.deepEqual(await findingsOf(homeRule, {}, { user: 'nobody' }), [])
})

test('certificates: where a program is there that is a client', async () => {
  const curl = { [`${store}curl-8.17.0/bin/curl`]: program }
  const env = { PATH: `${store}curl-8.17.0/bin` }
  const place = `${store}curl-8.17.0/bin/curl`
  assert.deepEqual(await findingsOf(certificatesRule, curl, { env }), [`certificates warning ${place}`])
  assert.deepEqual(await findingsOf(certificatesRule, curl, { cmd: [place] }), [
    `certificates warning ${place}`,
  ])
  assert.deepEqual(await findingsOf(certificatesRule, curl), [])
  for (const bundle of [
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/ssl/certs/ca-bundle.crt',
    '/etc/ssl/cert.pem',
  ])
    assert.deepEqual(await findingsOf(certificatesRule, { ...curl, [bundle]: 'CERTIFICATE' }, { env }), [])
  const bundle = `${store}nss-cacert-3.117/etc/ssl/certs/ca-bundle.crt`
  const set = { ...env, SSL_CERT_FILE: bundle }
  assert.deepEqual(await findingsOf(certificatesRule, { ...curl, [bundle]: 'CERTIFICATE' }, { env: set }), [])
  assert.deepEqual(await findingsOf(certificatesRule, curl, { env: set }), [
    'certificates warning Env SSL_CERT_FILE',
  ])
  const busybox = { '/bin/busybox': program, '/bin/wget': { link: 'busybox' } }
  assert.deepEqual(await findingsOf(certificatesRule, busybox), [])
})

test('nsswitch: without it only an old glibc does something else', async () => {
  const of = (files: Parameters<typeof inspected>[0]) => findingsOf(nameServiceRule, files)
  const missing = ['nsswitch warning /etc/nsswitch.conf']
  assert.deepEqual(await of({}), [])
  assert.deepEqual(await of({ [`${store}glibc-2.40-66/`]: '' }), [])
  assert.deepEqual(await of({ [`${store}glibc-2.35/`]: '' }), [])
  assert.deepEqual(await of({ [`${store}glibc-2.34-210/`]: '' }), missing)
  assert.deepEqual(await of({ [`${store}glibc-2.34-210-bin/`]: '' }), [])
  const says = (text: string) => of({ '/etc/nsswitch.conf': text, [`${store}glibc-2.34-210/`]: '' })
  assert.deepEqual(await says('passwd: files\nhosts: files dns # both\n'), [])
  assert.deepEqual(
    await says('hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] myhostname'),
    [],
  )
  assert.deepEqual(await says('passwd: files\n'), [])
  assert.deepEqual(await says('passwd: files\nhosts: dns\n'), ['nsswitch warning /etc/nsswitch.conf:2'])
  assert.deepEqual(await says('hosts: dns # files\n'), ['nsswitch warning /etc/nsswitch.conf:1'])
  assert.deepEqual(await says('hosts:\tfiles\n'), ['nsswitch warning /etc/nsswitch.conf:1'])
})
