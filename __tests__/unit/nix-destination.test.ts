import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sshOptions } from '../../src/nix/copy.ts'
import { parseDestination, parseSshKey } from '../../src/nix/destination.ts'
import { UserError } from '../../src/util/errors.ts'

test('the stores that can be copied to', () => {
  const rows: [string, string, string?, number?][] = [
    ['s3://bucket?region=eu-west-1&secret-key=/key', 's3'],
    ['file:///srv/cache?secret-key=/k&compression=zstd', 'file'],
    ['file:///srv/cache?secret-keys=/k,/l', 'file'],
    ['ssh-ng://user@host', 'ssh'],
    ['ssh-ng://user@host:2222/?x=1:2', 'ssh', 'ssh-ng://user@host/?x=1:2', 2222],
    ['ssh-ng://host:2222', 'ssh', 'ssh-ng://host', 2222],
    ['ssh-ng://u@[::1]:22?a=b', 'ssh', 'ssh-ng://u@[::1]?a=b', 22],
    ['ssh-ng://u@[fe80::1:2]', 'ssh'],
    ['ssh://host?remote-program=/x:1', 'ssh'],
    ['https://cache.example:8443/x', 'http'],
  ]
  for (const [url, kind, store = url, port] of rows) {
    assert.deepEqual(parseDestination(url), { url, kind, store, port, pinned: false }, url)
  }
  assert.equal(parseDestination('ssh-ng://h?base64-ssh-public-host-key=c3No').pinned, true)
})

test('another URL is refused, and a secret in one is not repeated', () => {
  const rows: [string, RegExp][] = [
    ['/srv/cache', /not the URL of a store/],
    ['ftp://host', /ftp is no store/],
    ['ssh-ng://u:hunter2@host', /password/],
    ['https://u:hunter2@host', /password/],
    ['https://hunter2@host', /password/],
    ['https://u:a/hunter2@host', /a login that cannot be read/],
    ['ssh-ng://u:a#hunter2@host', /a login that cannot be read/],
    ['s3://u:a?hunter2@host', /a login that cannot be read/],
    ['s3://bucket?secret-key=name:hunter2', /secret-key in the URL/],
    ['s3://bucket?access-key=hunter2', /access-key in the URL/],
    ['s3://bucket?secret-access-key=hunter2', /secret-access-key in the URL/],
    ['s3://bucket?session-token=hunter2', /session-token in the URL/],
    ['ssh-ng://h?ssh-key=hunter2', /ssh-key in the URL/],
    ['file:///a file:///b', /white space/],
  ]
  for (const [url, expected] of rows) {
    assert.throws(
      () => parseDestination(url),
      error =>
        error instanceof UserError &&
        expected.test(error.message) &&
        !`${error.message}${error.advice}`.includes('hunter2'),
      url,
    )
  }
})

test('any text is parsed or refused', () => {
  const part = fc.constantFrom(
    'ssh-ng',
    's3',
    'file',
    '://',
    ':',
    '@',
    '?',
    '=',
    '&',
    '/',
    '[',
    ']',
    '22',
    'a',
    '%',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part).map(parts => parts.join('')),
      ),
      text => {
        try {
          assert.equal(parseDestination(text).url, text)
        } catch (error) {
          assert.ok(error instanceof UserError, String(error))
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('a private key gets its last line break back, and what is none is not repeated', () => {
  const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\nbnNz\n-----END OPENSSH PRIVATE KEY-----'
  assert.equal(parseSshKey(key), `${key}\n`)
  assert.equal(parseSshKey(`\n${key.replaceAll('\n', '\r\n')}\r\n`), `${key}\n`)
  for (const text of [
    'hunter2',
    key.replaceAll('\n', ' '),
    key.replace('b3Bl\nbnNz\n', ''),
    key.slice(0, -3),
    key.replaceAll('PRIVATE', 'PUBLIC'),
  ])
    assert.throws(
      () => parseSshKey(text),
      error => error instanceof UserError && !/hunter2|b3Bl/.test(`${error.message}${error.advice}`),
    )
})

test('options for ssh have no white space in them and leave a pinned host no way out', () => {
  assert.equal(
    sshOptions({ pinned: true, port: 2222 }, 'key', '-v'),
    '-i ssh-key -o IdentitiesOnly=yes -p 2222 -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o StrictHostKeyChecking=yes -v',
  )
  assert.equal(
    sshOptions({ pinned: false, port: undefined }, undefined, undefined),
    '-o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15 -o StrictHostKeyChecking=accept-new',
  )
})
