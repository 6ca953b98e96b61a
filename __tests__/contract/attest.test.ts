import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { bundleFromJSON } from '@sigstore/bundle'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { endpointsFor, NotLogged, witnessesFor } from '../../src/attest/endpoints.ts'
import { parseSigningKey } from '../../src/attest/key.ts'
import { signerFor } from '../../src/attest/signer.ts'
import { signatureAnnotations, simpleSigning } from '../../src/attest/simple-signing.ts'
import { type Claim, contents, signature, statement } from '../../src/attest/statement.ts'
import { manifestMediaType } from '../../src/registry/manifest.ts'
import type { Descriptor } from '../../src/registry/model.ts'
import { attach } from '../../src/registry/referrers.ts'
import { addTagSignature, listTagSignatures } from '../../src/registry/signature-tag.ts'
import { httpSender } from '../../src/registry/transport.ts'
import { requestIdToken } from '../../src/runner/id-token.ts'
import { sbomDocuments } from '../../src/sbom/document.ts'
import type { Digest } from '../../src/util/digest.ts'
import { UserError } from '../../src/util/errors.ts'
import { type Desk, openDesk } from '../harness/registry/desk.ts'
import { sampleImage, sampleLayer } from '../harness/registry/sample.ts'
import { type Cosign, cosign, signedBy, withoutCosign } from '../harness/sigstore/cosign.ts'
import { issuer } from '../harness/sigstore/id-tokens.ts'
import { type Sigstore, startSigstore } from '../harness/sigstore/sigstore.ts'

const workflow = 'https://github.com/org/app/.github/workflows/image.yml@refs/heads/main'
const bundleMediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json'

type Bundle = Awaited<ReturnType<ReturnType<typeof signerFor>['attest']>>

const never = new AbortController().signal

async function signerIn(sigstore: Sigstore, kind: 'public' | 'private' = 'public', signal = never) {
  const services = kind === 'public' ? sigstore.env : sigstore.privateEnv
  const env = { ...services, ...sigstore.idTokens({ repository: 'org/app' }) }
  const { token } = await requestIdToken({ env, audience: 'sigstore', send: httpSender(env), signal })
  const endpoints = endpointsFor({ env, serverUrl: 'https://github.com', visibility: kind })
  return signerFor({ token }, endpoints, signal)
}

async function pushed(desk: Desk, data = 'hello') {
  const { digest, manifestSize: size } = await desk.push(sampleImage(sampleLayer({ name: 'a', data })))
  return { mediaType: manifestMediaType, digest, size }
}

function artifact(bundle: Bundle, { predicateType }: Claim = signature) {
  return {
    artifactType: bundleMediaType,
    content: { mediaType: bundleMediaType, bytes: Buffer.from(JSON.stringify(bundle)) },
    annotations: {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      'dev.sigstore.bundle.predicateType': predicateType,
    },
  }
}

/** @throws Error when the library that npm verifies with does not accept the bundle */
function verify(
  bundle: Bundle,
  sigstore: Sigstore,
  identity: string,
  timestamps: 'log' | 'authority' = 'log',
) {
  const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(sigstore.trustedRoot)))
  const thresholds = timestamps === 'log' ? { tlogThreshold: 1 } : { tlogThreshold: 0, timestampThreshold: 1 }
  const verifier = new Verifier(trust, { ctlogThreshold: 1, ...thresholds })
  verifier.verify(toSignedEntity(bundleFromJSON(bundle)), {
    subjectAlternativeName: identity,
    extensions: { issuer },
  })
}

/** A key that nobody has seen before, in PEM; encrypted where there is a password. */
function newKey(passphrase = ''): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const how = { type: 'pkcs8', format: 'pem' } as const
  const cipher = passphrase === '' ? {} : { cipher: 'aes-256-cbc', passphrase }
  return privateKey.export({ ...how, ...cipher }).toString()
}

/** Another payload under the same signature. */
function tampered(bundle: Bundle): Bundle {
  const { dsseEnvelope } = bundle
  assert.ok(dsseEnvelope)
  const payload = Buffer.from(dsseEnvelope.payload, 'base64').toString().replace('octo/app', 'octo/axe')
  return { ...bundle, dsseEnvelope: { ...dsseEnvelope, payload: Buffer.from(payload).toString('base64') } }
}

test('a bundle verifies for whom it names, and nothing else does', async () => {
  await using sigstore = await startSigstore()
  const subject = { name: 'octo/app', digest: `sha256:${'a'.repeat(64)}` } as const
  for (const [kind, timestamps] of [
    ['public', 'log'],
    ['private', 'authority'],
  ] as const) {
    const bundle = await (await signerIn(sigstore, kind)).attest(statement(subject, signature))
    assert.equal(bundle.mediaType, bundleMediaType)
    verify(bundle, sigstore, workflow, timestamps)
    assert.throws(() => verify(tampered(bundle), sigstore, workflow, timestamps), /signature|payload hash/)
    const other = workflow.replace('app', 'other')
    assert.throws(() => verify(bundle, sigstore, other, timestamps), /identity|subject/i)
    await using another = await startSigstore()
    assert.throws(() => verify(bundle, another, workflow, timestamps))
  }
})

for (const kind of ['public', 'private'] as const)
  test(`cosign 3 accepts what is attached to an image of a ${kind} repository, and refuses what is amiss`, {
    skip: withoutCosign('cosign'),
  }, async () => {
    await using desk = await openDesk()
    await using sigstore = await startSigstore()
    const { directory } = desk
    const unlogged = kind === 'public' ? [] : ['--insecure-ignore-tlog', '--use-signed-timestamps']
    const check = (digest: string, identity = workflow) =>
      cosign('cosign', { directory, sigstore }, [
        ...['verify', ...signedBy(identity), ...unlogged],
        `${desk.name}@${digest}`,
      ])
    const signer = await signerIn(sigstore, kind)
    const sign = (digest: typeof good.digest) =>
      signer.attest(statement({ name: desk.name, digest }, signature))

    const good = await pushed(desk)
    const bundle = await sign(good.digest)
    await attach(desk.client(), good, [artifact(bundle)])
    const accepted = await check(good.digest)
    assert.equal(accepted.code, 0, accepted.stderr)
    assert.equal(JSON.parse(accepted.stdout)[0].critical.image['docker-manifest-digest'], good.digest)

    const wrong = await check(good.digest, workflow.replace('main', 'other'))
    assert.notEqual(wrong.code, 0)
    assert.match(wrong.stderr, /expected SAN value/)

    const other = await pushed(desk, 'another digest')
    await attach(desk.client(), other, [artifact(bundle)])
    const misplaced = await check(other.digest)
    assert.notEqual(misplaced.code, 0)
    assert.match(misplaced.stderr, /digest/)

    const third = await pushed(desk, 'tampered with')
    await attach(desk.client(), third, [artifact(tampered(await sign(third.digest)))])
    const forged = await check(third.digest)
    assert.notEqual(forged.code, 0)
    assert.match(forged.stderr, /signature|payload hash/)
  })

/** An SBOM of an image that was pushed. */
function sbomOf(digest: Digest): string {
  const [cyclonedx] = sbomDocuments({
    image: { name: 'octo/app', digest, architecture: 'amd64', created: new Date(0) },
    ...{ layers: [], outside: [], packages: [] },
  })
  return cyclonedx.text
}

test('cosign 3 accepts an SBOM that is attested, as what it is, and refuses what is amiss', {
  skip: withoutCosign('cosign'),
}, async () => {
  await using desk = await openDesk()
  await using sigstore = await startSigstore()
  const { directory } = desk
  const check = (digest: string, identity = workflow) =>
    cosign('cosign', { directory, sigstore }, [
      ...['verify-attestation', '--type', 'cyclonedx', ...signedBy(identity)],
      `${desk.name}@${digest}`,
    ])
  const signer = await signerIn(sigstore)
  const attested = async ({ digest }: Descriptor) => {
    const claim = contents(sbomOf(digest))
    return { claim, bundle: await signer.attest(statement({ name: desk.name, digest }, claim)) }
  }

  const good = await pushed(desk)
  const { bundle, claim } = await attested(good)
  await attach(desk.client(), good, [artifact(bundle, claim)])
  const accepted = await check(good.digest)
  assert.equal(accepted.code, 0, accepted.stderr)
  const { payload } = JSON.parse(accepted.stdout)
  const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString())
  assert.deepEqual(predicate, JSON.parse(sbomOf(good.digest)))
  const wrong = await check(good.digest, workflow.replace('main', 'other'))
  assert.notEqual(wrong.code, 0)
  assert.match(wrong.stderr, /expected SAN value/)

  const other = await pushed(desk, 'another digest')
  await attach(desk.client(), other, [artifact(bundle, claim)])
  const misplaced = await check(other.digest)
  assert.notEqual(misplaced.code, 0)
  assert.match(misplaced.stderr, /digest/)

  const third = await pushed(desk, 'tampered with')
  await attach(desk.client(), third, [artifact(tampered((await attested(third)).bundle), claim)])
  const forged = await check(third.digest)
  assert.notEqual(forged.code, 0)
  assert.match(forged.stderr, /signature|payload hash/)

  // A signature is no SBOM.
  const fourth = await pushed(desk, 'signed only')
  const signed = await signer.attest(statement({ name: desk.name, digest: fourth.digest }, signature))
  await attach(desk.client(), fourth, [artifact(signed)])
  assert.notEqual((await check(fourth.digest)).code, 0)
})

test('cosign 2 and 3 accept the signature in a tag, and refuse what is amiss', {
  skip: withoutCosign('cosign-2'),
}, async () => {
  await using desk = await openDesk()
  await using sigstore = await startSigstore()
  const { directory } = desk
  const signer = await signerIn(sigstore)
  const sign = async (digest: typeof good.digest) => {
    const payload = simpleSigning({ name: desk.name, digest })
    return { payload, annotations: signatureAnnotations(await signer.sign(payload)) }
  }
  const check = (version: Cosign, digest: string, identity = workflow) => {
    const older = version === 'cosign' ? ['--new-bundle-format=false'] : []
    const args = ['verify', ...older, ...signedBy(identity), `${desk.name}@${digest}`]
    return cosign(version, { directory, sigstore }, args)
  }
  const good = await pushed(desk)
  const signed = await sign(good.digest)
  await addTagSignature(desk.client(), good.digest, signed)
  // Another's beside it, and the same again.
  await addTagSignature(desk.client(), good.digest, await sign(good.digest))
  await addTagSignature(desk.client(), good.digest, signed)
  assert.equal((await listTagSignatures(desk.client(), good.digest)).length, 2)
  const other = await pushed(desk, 'another digest')
  await addTagSignature(desk.client(), other.digest, signed)
  const forged = await pushed(desk, 'tampered with')
  const { payload } = await sign(forged.digest)
  await addTagSignature(desk.client(), forged.digest, { ...signed, payload })
  for (const version of ['cosign-2', 'cosign'] as const) {
    const accepted = await check(version, good.digest)
    assert.equal(accepted.code, 0, accepted.stderr)
    assert.equal(JSON.parse(accepted.stdout)[0].critical.image['docker-manifest-digest'], good.digest)
    const wrong = await check(version, good.digest, workflow.replace('main', 'other'))
    assert.match(wrong.stderr, /none of the expected identities matched|expected SAN value/)
    assert.notEqual(wrong.code, 0)
    const misplaced = await check(version, other.digest)
    assert.notEqual(misplaced.code, 0)
    assert.match(misplaced.stderr, /digest/)
    const tampered = await check(version, forged.digest)
    assert.notEqual(tampered.code, 0)
    assert.match(tampered.stderr, /signature|payload/)
  }
})

test('with a key: cosign accepts bundle and tag by its public key, and no other', {
  skip: withoutCosign('cosign'),
}, async () => {
  await using desk = await openDesk()
  await using sigstore = await startSigstore()
  const { directory } = desk
  const key = parseSigningKey(newKey(), '')
  const another = parseSigningKey(newKey('secret'), 'secret')
  const witnesses = witnessesFor({
    env: sigstore.env,
    serverUrl: 'https://github.com',
    visibility: 'private',
  })
  const signer = signerFor({ key }, witnesses, never)
  const subject = await pushed(desk)
  const { digest } = subject
  const statementOf = statement({ name: desk.name, digest }, signature)
  const bundle = await signer.attest(statementOf)
  await attach(desk.client(), subject, [artifact(bundle)])
  // The bundle says which key it is, by the name that cosign gives to keys.
  const root = TrustedRoot.fromJSON(JSON.parse(sigstore.trustedRoot))
  const verifyBy = (pem: string) => {
    const publicKey = createPublicKey(pem)
    const der = publicKey.export({ type: 'spki', format: 'der' })
    const name = createHash('sha256').update(der).digest('base64')
    const found = (hint: string) => {
      assert.equal(hint, name, 'another key')
      return { publicKey, validFor: () => true }
    }
    new Verifier(toTrustMaterial(root, found)).verify(toSignedEntity(bundleFromJSON(bundle)))
  }
  verifyBy(key.publicKey)
  assert.throws(() => verifyBy(another.publicKey), /another key/)
  const payload = simpleSigning({ name: desk.name, digest })
  const annotations = signatureAnnotations(await signer.sign(payload))
  await addTagSignature(desk.client(), digest, { payload, annotations })
  for (const format of ['true', 'false']) {
    const check = async ({ publicKey }: typeof key) => {
      await writeFile(join(directory, 'key.pub'), publicKey)
      const args = ['verify', `--new-bundle-format=${format}`, '--key', join(directory, 'key.pub')]
      return cosign('cosign', { directory, sigstore }, [...args, `${desk.name}@${digest}`])
    }
    const accepted = await check(key)
    assert.equal(accepted.code, 0, accepted.stderr)
    const refused = await check(another)
    assert.notEqual(refused.code, 0)
    assert.match(refused.stderr, /invalid signature|does not match|comparing public key/)
  }
  const claim = contents(sbomOf(digest))
  const sbom = await signer.attest(statement({ name: desk.name, digest }, claim))
  await attach(desk.client(), subject, [artifact(sbom, claim)])
  for (const [{ publicKey }, code] of [
    [key, 0],
    [another, 1],
  ] as const) {
    await writeFile(join(directory, 'key.pub'), publicKey)
    const args = ['verify-attestation', '--type', 'cyclonedx', '--key', join(directory, 'key.pub')]
    const checked = await cosign('cosign', { directory, sigstore }, [...args, `${desk.name}@${digest}`])
    assert.equal(checked.code === 0 ? 0 : 1, code, checked.stderr)
  }
  // What is told to no log is said to be so.
  const unlogged = await pushed(desk, 'of a private repository')
  const unwitnessed = { ...witnesses, rekor: undefined }
  const secret = signerFor({ key }, unwitnessed, never)
  const own = contents(sbomOf(unlogged.digest))
  for (const one of [own, signature]) {
    const about = statement({ name: desk.name, digest: unlogged.digest }, one)
    await attach(desk.client(), unlogged, [artifact(await secret.attest(about), one)])
  }
  await writeFile(join(directory, 'key.pub'), key.publicKey)
  for (const command of [['verify'], ['verify-attestation', '--type', 'cyclonedx']])
    for (const [more, accepted] of [
      [['--insecure-ignore-tlog'], true],
      [[], false],
    ] as const) {
      const args = [...command, ...more, '--key', join(directory, 'key.pub')]
      const checked = await cosign('cosign', { directory, sigstore }, [
        ...args,
        `${desk.name}@${unlogged.digest}`,
      ])
      assert.equal(checked.code === 0, accepted, checked.stderr)
    }
  assert.ok(!sigstore.requests.some(request => /signingCert/.test(request)), 'no certificate is asked for')
})

test('a signer that is told to end ends, and asks no service any more', { timeout: 60_000 }, async () => {
  for (const [standing, kind, next] of [
    ['/api/v2/signingCert', 'public', /log/],
    ['/api/v1/log/entries', 'public', /nothing/],
    ['/api/v1/timestamp', 'private', /nothing/],
  ] as const) {
    await using sigstore = await startSigstore()
    const ending = new AbortController()
    const signer = await signerIn(sigstore, kind, ending.signal)
    const hold = sigstore.hold({ path: new RegExp(`^${standing}$`) })
    const signing = signer.attest(Buffer.from('{}'))
    await hold.reached
    ending.abort(new Error('as the test wants it'))
    await assert.rejects(signing, /as the test wants it/)
    hold.release()
    await assert.rejects(signer.sign(Buffer.from('{}')), /as the test wants it/)
    assert.equal(sigstore.requests.filter(request => request.endsWith(standing)).length, 1)
    assert.ok(!sigstore.requests.some(request => next.test(request)), sigstore.requests.join())
  }
})

test('services that refuse are told by their name', async () => {
  const subject = { name: 'octo/app', digest: `sha256:${'a'.repeat(64)}` } as const
  for (const [path, kind, says] of [
    ['/api/v2/signingCert', 'public', /gives no certificate/],
    ['/api/v1/log/entries', 'public', /does not log the signature/],
    ['/api/v1/timestamp', 'private', /gives no timestamp/],
  ] as const) {
    await using sigstore = await startSigstore()
    const signer = await signerIn(sigstore, kind)
    sigstore.fault({ path: new RegExp(`^${path}$`), status: 403 })
    const error = await signer.attest(statement(subject, signature)).catch(error => error)
    assert.ok(error instanceof UserError, String(error))
    assert.ok(!(error instanceof NotLogged))
    assert.ok(error.message.startsWith(sigstore.url))
    assert.match(error.message, says)
    // Only the log is known to refuse what is large.
    const large = await signer.attest(Buffer.alloc(1024 * 1024, 'a')).catch(error => error)
    assert.equal(large instanceof NotLogged, path === '/api/v1/log/entries')
    assert.match(large.message, says)
    assert.equal(/may be too large for it: 1\.0 MiB\.$/.test(large.message), large instanceof NotLogged)
    for (const secret of sigstore.secrets()) assert.ok(!`${error.stack}${error.cause}`.includes(secret))
  }
})

test('what others have put into the tag of signatures stays', async () => {
  await using desk = await openDesk()
  const { digest } = await pushed(desk)
  const tag = `${digest.replace(':', '-')}.sig`
  const payload = Buffer.from('theirs')
  const client = desk.client()
  await addTagSignature(client, digest, { payload, annotations: { who: 'they' } })
  const before = await client.getManifest(tag)
  const theirs = { ...JSON.parse(String(before?.bytes)), annotations: { a: 'b' }, 'org.example.other': [1] }
  theirs.layers[0]['org.example.more'] = 'x'
  await client.putManifest(tag, Buffer.from(JSON.stringify(theirs)), manifestMediaType)
  await addTagSignature(client, digest, { payload, annotations: { who: 'we' } })
  const after = JSON.parse(String((await client.getManifest(tag))?.bytes))
  assert.deepEqual(after.layers[0], theirs.layers[0])
  assert.deepEqual(after.layers[1].annotations, { who: 'we' })
  assert.deepEqual({ ...after, config: 0, layers: 0 }, { ...theirs, config: 0, layers: 0 })
})

test('a token that the issuer did not make gets no certificate', async () => {
  await using sigstore = await startSigstore()
  await using another = await startSigstore()
  const env = { ...sigstore.env, ...another.idTokens({ repository: 'org/app' }) }
  const { token } = await requestIdToken({
    ...{ env, audience: 'sigstore', send: httpSender(env), signal: never },
  })
  const endpoints = endpointsFor({ env, serverUrl: 'https://github.com', visibility: 'public' })
  const signer = signerFor({ token }, endpoints, never)
  await assert.rejects(signer.attest(Buffer.from('{}')), /gives no certificate: .*unknown issuer/)
})
