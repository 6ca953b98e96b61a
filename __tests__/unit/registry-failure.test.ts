import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answerFailure, connectionFailure, loginFailure } from '../../src/registry/failure.ts'
import { parseName } from '../../src/registry/reference.ts'
import { UserError } from '../../src/util/errors.ts'

const credentials = { username: 'octocat', password: 'hunter2hunter2' }
const ghcr = { repository: parseName('ghcr.io/octo/app'), credentials }
const other = { repository: parseName('registry.example.com/octo/app'), credentials }

function answer(status: number, body: unknown, subject = ghcr, type = 'application/json') {
  return {
    status,
    headers: { 'content-type': type },
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    url: new URL(`${subject.repository.origin}/v2/octo/app/blobs/uploads/?secret=1`),
  }
}

const denied = (message: string, code = 'DENIED') => ({ errors: [{ code, message }] })

test('each answer has its words and its advice', () => {
  for (const [status, body, subject, message, advice] of [
    [
      403,
      denied('permission_denied: write_package'),
      ghcr,
      /write_package/,
      /contents: read, packages: write.*Manage Actions access/,
    ],
    [
      403,
      denied('installation not allowed to Create organization package'),
      ghcr,
      /not allowed/,
      /contents: read, packages: write/,
    ],
    [403, denied('denied'), ghcr, /403 DENIED: denied/, /contents: read, packages: write.*owner/],
    [403, denied('denied'), other, /403/, /'octocat' the right to push to octo\/app/],
    [401, {}, other, /401/, /'octocat'/],
    [
      404,
      denied('repository name not known to registry', 'NAME_UNKNOWN'),
      other,
      /NAME_UNKNOWN/,
      /Create octo\/app/,
    ],
    [400, denied('', 'NAME_INVALID'), other, /NAME_INVALID/, /Correct `name`/],
    [429, {}, ghcr, /429/, /ghcr\.io limits/],
    [403, denied('You have exceeded a secondary rate limit'), ghcr, /secondary/, /ghcr\.io limits/],
    [413, '<html>', other, /413/, /10 GB/],
    [503, '<html>', other, /503/, /fault/],
  ] as const) {
    const error = answerFailure(answer(status, body, subject), 'the upload of x', subject)
    assert.match(error.message, message)
    assert.match(error.message, /refused the upload of x/)
    assert.ok(error.message.includes(subject.repository.name))
    assert.match(error.advice ?? '', advice, `${status} ${JSON.stringify(body)}`)
  }
})

test('a login that is not taken names user and host', () => {
  for (const status of [401, 403]) {
    const error = loginFailure(answer(status, denied('denied')), ghcr)
    assert.match(error.message, /ghcr\.io does not accept the password of 'octocat'/)
    assert.match(error.advice ?? '', /contents: read, packages: write/)
  }
  assert.match(
    loginFailure(answer(401, {}, other), other).advice ?? '',
    /docker login registry\.example\.com/,
  )
  const nobody = loginFailure(answer(401, {}, other), { ...other, credentials: undefined })
  assert.match(nobody.message, /wants a login/)
  assert.match(loginFailure(answer(503, ''), ghcr).message, /503/)
  assert.match(loginFailure(answer(403, denied('secondary rate limit')), ghcr).advice ?? '', /limits/)
})

test('connections that fail have their words, and defects of ours are left alone', () => {
  const failed = (code: string) => Object.assign(new Error(`it did not work: ${code}`), { code })
  for (const [code, advice] of [
    ['ENOTFOUND', /resolve ghcr\.io/],
    ['ECONNREFUSED', /is up/],
    ['ECONNRESET', /is up/],
    ['ETIMEDOUT', /is up/],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', /NODE_EXTRA_CA_CERTS/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', /NODE_EXTRA_CA_CERTS/],
    ['CERT_HAS_EXPIRED', /NODE_EXTRA_CA_CERTS/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', /NODE_EXTRA_CA_CERTS/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', /does not speak HTTP over TLS/],
    ['HPE_INVALID_CONSTANT', /does not speak HTTP over TLS/],
  ] as const) {
    const error = connectionFailure(new Error('wrapped', { cause: failed(code) }), 'the look-up', ghcr)
    assert.ok(error instanceof UserError, code)
    assert.match(error.advice ?? '', advice, code)
    assert.ok(error.message.includes(code), code)
  }
  const defect = new TypeError('x is not a function')
  assert.equal(connectionFailure(defect, '', ghcr), defect)
  const ours = new UserError('said')
  assert.equal(connectionFailure(ours, '', ghcr), ours)
})

test('what a registry says is short and printable and holds no password and no query', () => {
  const evil = `\x1b[2J\n::error::${credentials.password} ${'x'.repeat(5000)}`
  for (const error of [
    answerFailure(answer(403, denied(evil)), 'x', ghcr),
    loginFailure(answer(403, denied(evil)), ghcr),
    answerFailure(answer(403, evil, ghcr, 'text/plain'), 'x', ghcr),
  ]) {
    assert.ok(error.message.length < 600)
    assert.match(error.message, /^[\x20-\x7e]+$/)
    assert.ok(!error.message.includes(credentials.password))
    assert.ok(!error.message.includes('secret='))
  }
})
