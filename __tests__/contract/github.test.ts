import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attestations } from '../../src/runner/attestations.ts'
import { requestIdToken } from '../../src/runner/id-token.ts'
import { githubSender } from '../../src/steps/github.ts'
import { UserError } from '../../src/util/errors.ts'
import { silent } from '../../src/util/log.ts'
import { type Sigstore, startSigstore } from '../harness/sigstore/sigstore.ts'

const never = new AbortController().signal
const repository = 'org/app'
const tokens = { path: /^\/id-token$/ }
const store = { path: /\/attestations$/ }

/** What is asked of GitHub, with waits that nobody waits for. */
function desk(sigstore: Sigstore, onWait: () => void = () => {}) {
  const waits: number[] = []
  const sleep = async (milliseconds: number, signal?: AbortSignal) => {
    waits.push(milliseconds)
    onWait()
    signal?.throwIfAborted()
  }
  const send = githubSender({ env: {}, log: silent, sleep })
  const env = sigstore.idTokens({ repository })
  sigstore.githubToken(repository, { token: 'ghs_x', attestations: true })
  const api = attestations({ apiUrl: sigstore.url, repository, token: 'ghs_x', send })
  const identify = (signal = never) => requestIdToken({ env, audience: 'sigstore', send, signal })
  return { waits, api, identify }
}

test('a job’s token and the store of attestations are asked again when something passes', async () => {
  for (const trouble of [
    { status: 503 },
    { status: 429 },
    { kind: 'reset' },
    { status: 403, body: { message: 'You have exceeded a secondary rate limit.' } },
  ] as const) {
    await using sigstore = await startSigstore()
    const { waits, api, identify } = desk(sigstore)
    sigstore.fault({ ...tokens, ...trouble, times: 2 })
    assert.equal((await identify()).claims.repository, repository)
    const first = waits.length
    assert.equal(first, 2)
    sigstore.fault({ ...store, ...trouble, times: 2 })
    await api.create({ a: 1 }, never)
    assert.equal(waits.length - first, 2)
    assert.deepEqual(sigstore.stored, [{ a: 1 }])
  }
})

test('what does not pass ends with its own words, after a bounded number of attempts', async () => {
  await using sigstore = await startSigstore()
  const { waits, api, identify } = desk(sigstore)
  const broken = sigstore.fault({ ...tokens, status: 500 })
  await assert.rejects(identify(), /gives no token that says which job this is: status 500/)
  assert.equal(waits.length, 5)
  const unanswered = sigstore.fault({ ...store, kind: 'reset' })
  const error = await api.create({}, never).catch(error => error)
  assert.ok(error instanceof UserError)
  assert.match(error.message, /^127\.0\.0\.1:\d+ does not answer: /)
  assert.equal(waits.length, 10)
  broken.clear()
  unanswered.clear()
  sigstore.fault({ ...store, status: 403 })
  await assert.rejects(api.create({}, never), /does not take an attestation for org\/app: status 403/)
  assert.equal(waits.length, 10, 'what is forbidden stays so')
  assert.deepEqual(sigstore.stored, [])
})

test('a job that is cancelled asks no more', async () => {
  await using sigstore = await startSigstore()
  const ending = new AbortController()
  const { identify } = desk(sigstore, () => ending.abort())
  sigstore.fault({ ...tokens, status: 503 })
  const error = await identify(ending.signal).catch(error => error)
  assert.equal(error, ending.signal.reason)
  assert.equal(sigstore.requests.length, 1)
})

test('a job that is cancelled while it waits for an answer is not told that there is none', async () => {
  await using sigstore = await startSigstore()
  const ending = new AbortController()
  const { identify, waits } = desk(sigstore)
  const hold = sigstore.hold(tokens)
  const identity = identify(ending.signal)
  await hold.reached
  ending.abort()
  const error = await identity.catch(error => error)
  assert.equal(error.name, 'AbortError')
  assert.deepEqual(waits, [])
})
