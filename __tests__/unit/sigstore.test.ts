import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import { test } from 'node:test'
import { endpointsFor, witnessesFor } from '../../src/attest/endpoints.ts'
import { parseSigningKey, sign } from '../../src/attest/key.ts'
import { attestations } from '../../src/runner/attestations.ts'
import { hasIdTokens, requestIdToken } from '../../src/runner/id-token.ts'
import { UserError } from '../../src/util/errors.ts'

const github = { env: {}, serverUrl: 'https://github.com', visibility: 'public' } as const
const fulcio = 'https://fulcio.sigstore.dev'
const rekor = 'https://rekor.sigstore.dev'

test('the public Sigstore for public repositories only: its log is read by everyone', () => {
  assert.deepEqual(endpointsFor(github), { fulcio, rekor, tsa: undefined })
  const own = { fulcio: 'https://fulcio.githubapp.com', tsa: 'https://timestamp.githubapp.com' }
  for (const visibility of ['private', 'internal', undefined])
    assert.deepEqual(endpointsFor({ ...github, visibility }), { ...own, rekor: undefined })
  assert.deepEqual(endpointsFor({ ...github, serverUrl: 'https://corp.ghe.com', visibility: 'internal' }), {
    fulcio: 'https://fulcio.corp.ghe.com',
    rekor: undefined,
    tsa: 'https://timestamp.corp.ghe.com',
  })
})

test('a server of one’s own has none, unless one is named', () => {
  const enterprise = { ...github, serverUrl: 'https://git.example.com' }
  assert.throws(
    () => endpointsFor(enterprise),
    (error: UserError) =>
      /no Sigstore that signs for jobs of https:\/\/git\.example\.com/.test(error.message) &&
      /sign-key/.test(String(error.advice)),
  )
  const env = { SIGSTORE_FULCIO_URL: 'https://f.example/', SIGSTORE_TSA_URL: 'http://127.0.0.1:1' }
  const named = { fulcio: 'https://f.example', rekor: undefined, tsa: 'http://127.0.0.1:1' }
  assert.deepEqual(endpointsFor({ ...enterprise, env }), named)
  // Never the public ones beside it.
  assert.deepEqual(endpointsFor({ ...github, env }), named)
  assert.throws(() => endpointsFor({ ...github, env: { SIGSTORE_FULCIO_URL: 'https://f' } }), /neither/)
  assert.throws(() => endpointsFor({ ...github, env: { SIGSTORE_FULCIO_URL: 'f' } }), /no http\(s\) URL/)
})

test('what is signed with a key is told to the public log by public repositories only', () => {
  const none = { fulcio: undefined, rekor: undefined, tsa: undefined }
  assert.deepEqual(witnessesFor(github), { ...none, rekor })
  for (const visibility of ['private', 'internal', undefined])
    assert.deepEqual(witnessesFor({ ...github, visibility }), none)
  assert.deepEqual(witnessesFor({ ...github, serverUrl: 'https://git.example.com' }), none)
  const env = { SIGSTORE_REKOR_URL: 'https://r' }
  assert.deepEqual(witnessesFor({ ...github, env, visibility: 'private' }), { ...none, rekor: 'https://r' })
})

const pkcs8 = { type: 'pkcs8', format: 'pem' } as const

test('keys of the right kind are read, also encrypted ones, and sign', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passphrase = 'a password'
  const forms: [string, string][] = [
    [privateKey.export(pkcs8).toString(), ''],
    [privateKey.export({ type: 'sec1', format: 'pem' }).toString(), ''],
    [privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase }).toString(), passphrase],
  ]
  for (const [pem, password] of forms) {
    const key = parseSigningKey(pem, password)
    assert.equal(key.publicKey, publicKey.export({ type: 'spki', format: 'pem' }))
    const data = randomBytes(100)
    assert.ok(verify('sha256', data, publicKey, sign(key, data).signature))
    assert.ok(key.secrets.includes(pem))
    if (password !== '') assert.ok(key.secrets.includes(password))
  }
})

test('other keys are refused, and not shown', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const encrypted = privateKey.export({ ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'x' }).toString()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export(pkcs8).toString()
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export(pkcs8).toString()
  const sigstore = '-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nabcdefgh\n'
  const rows: [string, string, RegExp][] = [
    ['nonsense', '', /no private key in PEM/],
    [encrypted, '', /no private key in PEM/],
    [encrypted, 'wrong', /no private key in PEM with that password/],
    [rsa, '', /another kind: rsa/],
    [p384, '', /another kind: ec/],
    [sigstore, 'x', /cosign's own form/],
  ]
  for (const [pem, password, says] of rows) {
    let error: unknown
    try {
      parseSigningKey(pem, password)
    } catch (thrown) {
      error = thrown
    }
    assert.ok(error instanceof UserError, pem)
    assert.match(error.message, says)
    const lines = pem.split('\n').filter(line => line.length > 7 && !line.startsWith('--'))
    for (const line of lines) assert.ok(!`${error.message} ${error.advice}`.includes(line))
  }
})

const signal = new AbortController().signal
const answering = (status: number, document: unknown) => async () => ({
  status,
  body: Buffer.from(JSON.stringify(document)),
})

test('a token is asked for only where the runner says where, and anything but one is told', async () => {
  assert.equal(hasIdTokens({}), false)
  assert.equal(hasIdTokens({ ACTIONS_ID_TOKEN_REQUEST_URL: 'https://x' }), false)
  const env = { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://x/?a=b', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 't' }
  assert.equal(hasIdTokens(env), true)
  const payload = Buffer.from('{"sub":"x"}').toString('base64url')
  for (const [status, document] of [
    [403, { message: 'no' }],
    [200, {}],
    [200, { value: 'x' }],
    [200, { value: `a.${payload}.b` }],
  ] as const) {
    const send = answering(status, document)
    const error = await requestIdToken({ env, audience: 'sigstore', send, signal }).catch(error => error)
    assert.ok(error instanceof UserError)
    assert.match(error.message, new RegExp(`status ${status}`))
  }
})

test('refusals of GitHub are told with what to do; a token’s right is known from them before', async () => {
  const api = (status: number, message: string) =>
    attestations({
      ...{ apiUrl: 'https://api.github.com', repository: 'o/r', token: 't' },
      send: answering(status, { message }),
    })
  const denied = [403, 'Resource not accessible by integration'] as const
  assert.equal(await api(...denied).refusal(signal), 'permission')
  for (const [status, message] of [
    [422, 'Invalid request.'],
    [404, 'Not Found'],
    [403, 'You have exceeded a secondary rate limit.'],
    [500, ''],
  ] as const)
    assert.equal(await api(status, message).refusal(signal), undefined, message)
  const others = [
    [403, 'Resource not accessible by personal access token', /Leave `github-token` away/],
    [401, 'Bad credentials', /Leave `github-token` away/],
    [403, 'Resource protected by organization SAML enforcement.', /Leave `github-token` away/],
    [403, 'Feature not available for user-owned private repositories.', /Enterprise Cloud/],
  ] as const
  for (const [status, message, advice] of others) {
    const error = await api(status, message).refusal(signal)
    assert.ok(error instanceof UserError, message)
    assert.ok(error.message.includes(message.replace(/\.$/, '')))
    assert.match(error.advice ?? '', advice)
  }
  for (const [status, message, advice] of [
    [...denied, /Add `attestations: write` to/],
    ...others,
    [500, 'Server Error', /again/],
  ] as const) {
    const error = await api(status, message)
      .create({}, signal)
      .catch(error => error)
    assert.ok(error instanceof UserError)
    assert.match(error.message, new RegExp(`o/r: status ${status} `))
    assert.match(error.advice ?? '', advice)
  }
})
