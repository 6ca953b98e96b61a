import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { bundleFromJSON, type SerializedBundle } from '@sigstore/bundle'
import { TrustedRoot } from '@sigstore/protobuf-specs'
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify'
import { partsBin } from '../../script/parts/paths.ts'
import { exec } from '../../src/util/exec.ts'
import type { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { ghcr } from '../harness/registry/troubles.ts'
import { pushTag } from '../harness/runner/events.ts'
import { cosign, signedBy, withoutCosign } from '../harness/sigstore/cosign.ts'
import { startSigstore } from '../harness/sigstore/sigstore.ts'
import { githubToken, login, type RunOptions, repositoryName, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
const sigstore = await startSigstore()
const directory = await mkdtemp(join(tmpdir(), 'cosign-'))
after(async () => {
  await Promise.all([world[Symbol.asyncDispose](), sigstore.close()])
  await rm(directory, { recursive: true })
})

const workflow = `https://github.com/${repositoryName}/.github/workflows/image.yml@refs/heads/main`

/** Runs of a job that has these permissions, for an image of its own. */
function repository(
  id: string,
  permissions: { readonly idToken?: boolean; readonly attestations?: boolean },
) {
  const name = `${world.registry.host}/org/${id}`
  const { idToken = true, attestations = true } = permissions
  sigstore.githubToken(repositoryName, { token: githubToken, attestations })
  const run = async (options: RunOptions = {}) => {
    world.registry.forget()
    return await world.run({
      ...options,
      env: { ...sigstore.env, ...options.env },
      services: {
        GITHUB_API_URL: sigstore.url,
        ...(idToken
          ? sigstore.idTokens({ repository: repositoryName, ref: options.event?.ref ?? 'refs/heads/main' })
          : {}),
      },
      with: { name, image: '.#image-stream', 'cache-scope': id, tags: 'main', ...options.with },
    })
  }
  const account = ['--registry-username', login.username, '--registry-password', login.password]
  const verify = (reference: string, ...args: string[]) =>
    cosign('cosign', { directory, sigstore }, ['verify', ...args, ...account, `${name}${reference}`])
  /** The SBOM that this workflow has attested. @throws AssertionError when cosign does not accept one */
  const sbomOf = async (reference: string) => {
    const { code, stdout, stderr } = await cosign('cosign', { directory, sigstore }, [
      ...['verify-attestation', '--type', 'cyclonedx', ...signedBy(workflow), ...account],
      `${name}${reference}`,
    ])
    assert.equal(code, 0, stderr)
    return JSON.parse(Buffer.from(JSON.parse(stdout).payload, 'base64').toString()).predicate
  }
  return { name, run, verify, sbomOf }
}

/** What manifests were put as, in their order: digests and tags. */
function put(): string[] {
  return world.registry.requests
    .filter(({ method, path, status }) => method === 'PUT' && /manifests/.test(path) && status === 201)
    .map(({ path }) => path.split('/').at(-1) ?? '')
}

const certificates = () => sigstore.requests.filter(request => /signingCert/.test(request)).length

test('what is published is attested and signed before it is tagged, once, and cosign and Sigstore’s verifier agree', {
  skip: withoutCosign('cosign'),
}, async () => {
  const { name, run, verify } = repository('attested', {})
  const first = await run({ with: { provenance: 'true', sign: 'true' } })
  assert.equal(first.main.code, 0, first.main.log)
  const { digest = '' } = first.main.outputs
  const accepted = await verify(':main', ...signedBy(workflow))
  assert.equal(accepted.code, 0, accepted.stderr)
  const types = JSON.parse(accepted.stdout).map((one: { critical: { type: string } }) => one.critical.type)
  assert.deepEqual(types.sort(), ['https://sigstore.dev/cosign/sign/v1', 'https://slsa.dev/provenance/v1'])
  const refused = await verify(':main', ...signedBy(workflow.replace('main', 'other')))
  assert.notEqual(refused.code, 0)

  // The referrers before the tag: a tag never names what is not attested.
  assert.deepEqual(put().slice(-2), [digest.replace(':', '-'), 'main'], put().join())

  // What GitHub keeps is the same bundle, and says what was built from what.
  assert.equal(sigstore.stored.length, 1)
  const bundle = sigstore.stored[0] as SerializedBundle
  const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(sigstore.trustedRoot)))
  new Verifier(trust).verify(toSignedEntity(bundleFromJSON(bundle)), { subjectAlternativeName: workflow })
  const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope?.payload ?? '', 'base64').toString())
  assert.deepEqual(statement.subject, [{ name, digest: { sha256: digest.slice(7) } }])
  const { buildDefinition, runDetails } = statement.predicate
  const [image] = buildDefinition.internalParameters.images
  assert.equal(image.digest, digest)
  assert.equal(image.output, first.main.outputs['out-path'])
  assert.match(image.derivation, /^\/nix\/store\/.*\.drv$/)
  assert.equal(buildDefinition.externalParameters.installable, '.#image-stream')
  assert.equal(runDetails.builder.id, workflow)
  assert.equal(buildDefinition.internalParameters.nix.version, first.main.outputs['nix-version'])
  const tarball = buildDefinition.resolvedDependencies.find((one: { name?: string }) => one.name === 'nix')
  assert.match(tarball.digest.sha256, /^[0-9a-f]{64}$/)

  // The same image again: what is there stays, and these requests tell so.
  const signatures = certificates()
  const second = await run({ with: { provenance: 'true', sign: 'true', tags: 'v2' } })
  assert.equal(second.main.code, 0, second.main.log)
  assert.equal(second.main.outputs.digest, digest)
  assert.equal(certificates(), signatures)
  assert.equal(sigstore.stored.length, 1)
  const list = `manifests/sha256-${digest.slice('sha256:'.length)}`
  const asked = world.registry.requests.map(
    ({ method, path }) => `${method} ${path.split('/org/attested/')[1]}`,
  )
  const referrer = 'HEAD manifests/sha256:'
  const telling = asked.filter(one => / referrers\/|sha256-/.test(one) || one.startsWith(referrer))
  const marks = telling.map(one => (one.startsWith(referrer) ? referrer : one))
  assert.deepEqual(marks, [`GET referrers/${digest}`, `GET ${list}`, referrer, referrer])
  assert.equal((await verify(':v2', ...signedBy(workflow))).code, 0)
  for (const secret of sigstore.secrets())
    assert.ok(!`${first.main.log}${second.main.log}`.includes(secret), 'no token is shown')

  // The workflow of a release signs as another one, and says as much of the flake.
  const event = pushTag({ repository: repositoryName }, 'v3')
  const cache = { read: ['refs/heads/main'] }
  const third = await run({ event, cache, with: { provenance: 'true', tags: 'v3' } })
  assert.equal(third.main.code, 0, third.main.log)
  assert.equal(third.main.outputs.digest, digest)
  assert.equal(JSON.parse(third.main.outputs.metadata ?? '').details.push.images[0].known, 'output')
  const released = predicateOf(sigstore.stored.at(-1))
  assert.equal(released.runDetails.builder.id, workflow.replace('heads/main', 'tags/v3'))
  const { narHash, dirty } = buildDefinition.externalParameters.flake
  const { flake } = released.buildDefinition.externalParameters
  assert.deepEqual([flake.narHash, flake.dirty], [narHash, dirty])
  assert.match(narHash, /^sha256-/)
})

// biome-ignore lint/suspicious/noExplicitAny: JSON, which the tests look into
function predicateOf(bundle: unknown): any {
  const { dsseEnvelope } = bundle as SerializedBundle
  return JSON.parse(Buffer.from(dsseEnvelope?.payload ?? '', 'base64').toString()).predicate
}

test('an SBOM is attested for its image before the tag, once, and cosign gives it back', {
  skip: withoutCosign('cosign'),
}, async () => {
  const { run, sbomOf, name } = repository('described', {})
  const stored = sigstore.stored.length
  // The workflow signs it beside its provenance, also where a key signs the image.
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const inputs = { sbom: 'true', provenance: 'true', sign: 'true', 'sign-key': key }
  const first = await run({ with: inputs })
  assert.equal(first.main.code, 0, first.main.log)
  const { digest = '' } = first.main.outputs
  const { metadata, components } = await sbomOf(':main')
  assert.deepEqual([metadata.component.name, metadata.component.version], [name, digest])
  assert.ok(components.length > 0)
  assert.deepEqual(put().slice(-2), [digest.replace(':', '-'), 'main'], put().join())
  assert.equal(sigstore.stored.length, stored + 2)
  const [sbom, provenance] = sigstore.stored.slice(stored).map(predicateOf)
  assert.equal(sbom.bomFormat, 'CycloneDX')
  assert.equal(provenance.runDetails.builder.id, workflow)
  const details = ({ main }: typeof first) => JSON.parse(main.outputs.metadata ?? '').details
  assert.deepEqual(details(first).sbom[0].attached, { by: workflow, added: true })

  const signatures = certificates()
  const second = await run({ with: { ...inputs, tags: 'v2' } })
  assert.equal(second.main.code, 0, second.main.log)
  assert.equal(second.main.outputs.digest, digest)
  assert.equal(certificates(), signatures)
  assert.deepEqual(put(), ['v2'])
  assert.deepEqual(details(second).sbom[0].attached, { by: workflow, added: false })
  assert.match(second.main.summary, /beside the image, attested by .*, from an earlier run/)
})

test('where nobody signs, the SBOM itself is beside the image, once, and oras finds it', async () => {
  const { run, name } = repository('unsigned', { idToken: false, attestations: false })
  const { main } = await run({ with: { sbom: 'true' } })
  assert.equal(main.code, 0, main.log)
  const { digest = '' } = main.outputs
  assert.deepEqual(put().slice(-2), [digest.replace(':', '-'), 'main'])
  const oras = async (...args: string[]) => {
    const env = { HOME: directory, DOCKER_CONFIG: directory }
    const { code, stdout, stderr } = await exec(join(partsBin, 'oras'), args, { env, cwd: directory })
    assert.equal(code, 0, stderr)
    return stdout
  }
  const access = ['--plain-http', '--username', login.username, '--password', login.password]
  const discover = async () => {
    const type = ['--artifact-type', 'application/vnd.cyclonedx+json', '--format', 'json']
    return JSON.parse(await oras('discover', ...access, ...type, `${name}:main`)).referrers
  }
  const [found, ...others] = await discover()
  assert.deepEqual(others, [])
  await oras('pull', ...access, `${name}@${found.digest}`)
  const document = JSON.parse(
    await readFile(
      join(directory, `unsigned.linux-${process.arch === 'x64' ? 'amd64' : 'arm64'}.cdx.json`),
      'utf8',
    ),
  )
  assert.equal(document.metadata.component.version, digest)

  const again = await run({ with: { sbom: 'true', tags: 'v2' } })
  assert.equal(again.main.code, 0, again.main.log)
  assert.deepEqual(put(), ['v2'])
  assert.equal((await discover()).length, 1)
})

/** Has the image's only package say more of itself than fits into an entry of the log. */
async function withMuchToSay(workspace: string, machine: Machine): Promise<void> {
  const file = join(workspace, 'flake.nix')
  const flake = await expect(machine.run(['cat', file]))
  const words = 'builtins.concatStringsSep " " (builtins.genList (_: "busybox") 150000)'
  const changed = flake.replace(
    'busybox = content;',
    `busybox = content // { meta.description = ${words}; };`,
  )
  assert.notEqual(changed, flake)
  await machine.plant(file, changed)
}

test('an SBOM that registry or log do not take leaves the tags; one that is too large for the log is attached unsigned', async () => {
  const { run } = repository('refusing', {})
  const inputs = { sbom: 'true', sign: 'true' }
  const refused = world.registry.fault({ method: 'PUT', path: /manifests\/sha256-/, status: 403 })
  const first = await run({ with: inputs })
  refused.clear()
  assert.equal(first.main.code, 1)
  assert.match(first.main.errors[0]?.message ?? '', /refused the manifest as sha256-/)
  assert.ok(!put().includes('main'), put().join())

  const log = { path: /^\/api\/v1\/log\/entries$/, times: 1 }
  sigstore.fault({ ...log, status: 403 })
  const second = await run({ with: inputs })
  assert.equal(second.main.code, 1)
  assert.match(second.main.errors[0]?.message ?? '', /does not log the signature/)
  assert.deepEqual(put(), [], 'neither without a signature')

  sigstore.fault({ ...log, status: 413 })
  const third = await run({ with: inputs, change: withMuchToSay })
  assert.equal(third.main.code, 0, third.main.log)
  const [warning] = third.main.warnings
  assert.match(
    warning?.message ?? '',
    /attached without a signature: .* does not log the signature: .* may be too large for it: 1\.\d MiB\.$/,
  )
  const { details } = JSON.parse(third.main.outputs.metadata ?? '')
  assert.deepEqual(details.sbom[0].attached, { added: true })
  assert.equal(details.attested.claims[0].added, true)
})

test('a registry that does not take what is attached has not lost the image', async () => {
  const { run } = repository('unknown', {})
  const first = await run({ with: { sign: 'true' } })
  assert.equal(first.main.code, 0, first.main.log)
  const path = /manifests\/sha256:/
  const refused = world.registry.fault({ method: 'PUT', path, ...ghcr.manifestBlobUnknown })
  const { main } = await run({ with: { sign: 'true', provenance: 'true', tags: 'v2' } })
  refused.clear()
  assert.equal(main.code, 1)
  assert.match(main.errors[0]?.message ?? '', /refused the manifest as sha256:.*MANIFEST_BLOB_UNKNOWN/)
  assert.doesNotMatch(main.log, /is made again/)
  assert.ok(!put().includes('v2'))
})

/** Has a tag name the same image with another layer: anybody with the right to push can, annotations and all. */
async function forge(id: string, tag: string): Promise<string> {
  const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  const { host } = world.registry
  const scope = new URLSearchParams({ service: 'registry', scope: `repository:org/${id}:pull,push` })
  const answer = await fetch(`http://${host}/token?${scope}`, {
    headers: { authorization: `Basic ${basic}` },
  })
  const { token } = (await answer.json()) as { token: string }
  const type = 'application/vnd.oci.image.manifest.v1+json'
  const headers = { authorization: `Bearer ${token}`, accept: type, 'content-type': type }
  const url = `http://${host}/v2/org/${id}/manifests/${tag}`
  const manifest = (await (await fetch(url, { headers })).json()) as { layers: object[]; config: object }
  const { mediaType: _, ...blob } = manifest.config as { mediaType: string }
  const layers = manifest.layers.map(layer => ({ ...layer, ...blob }))
  const put = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ ...manifest, layers }) })
  assert.equal(put.status, 201, await put.text())
  return put.headers.get('docker-content-digest') ?? ''
}

test('what somebody else has pushed under the tag is not taken for the image that is signed', async () => {
  const { run } = repository('forged', {})
  const honest = await run()
  assert.equal(honest.main.code, 0, honest.main.log)
  const forged = await forge('forged', 'main')
  assert.notEqual(forged, honest.main.outputs.digest)
  for (const cache of ['false', 'true']) {
    const { main } = await run({ with: { sign: 'true', cache } })
    assert.equal(main.code, 0, main.log)
    assert.equal(main.outputs.digest, honest.main.outputs.digest)
    assert.equal(JSON.parse(main.outputs.metadata ?? '').details.attested.digest, main.outputs.digest)
    await forge('forged', 'main')
  }
})

test('a permission that is missing is told before anything is built, with the lines to add', async () => {
  const without = repository('unidentified', { idToken: false })
  const { main } = await without.run({ with: { sign: 'true' } })
  assert.equal(main.code, 1)
  assert.match(main.errors[0]?.message ?? '', /`sign: true`: this job lacks the permission `id-token: write`/)
  assert.match(
    main.errors[0]?.message ?? '',
    /permissions:\n {2}contents: read\n {2}packages: write\n {2}id-token: write$/,
  )
  assert.equal(world.registry.count({ method: 'PUT' }), 0)
  assert.equal(main.outputs['out-path'], undefined)

  const unstored = repository('unstored', { attestations: false })
  const second = await unstored.run({ with: { provenance: 'true' } })
  assert.equal(second.main.code, 1)
  assert.match(second.main.errors[0]?.message ?? '', /lacks the permission `attestations: write`/)
  assert.equal(world.registry.count({ method: 'PUT' }), 0)
})

test('where the jobs of a matrix publish an index, whoever publishes it attests it, and its children stay images', {
  skip: withoutCosign('cosign') || (process.arch !== 'x64' && 'this machine has one system only'),
}, async () => {
  const { run, verify, sbomOf } = repository('matrix', {})
  const leg = (system: string) =>
    run({
      workflow: { run: '31' },
      with: {
        ...{ systems: system, platforms: 'linux/amd64,linux/386' },
        ...{ provenance: 'true', sign: 'true', sbom: 'true' },
      },
    })
  const before = sigstore.stored.length
  const first = await leg('x86_64-linux')
  assert.equal(first.main.code, 0, first.main.log)
  assert.equal(sigstore.stored.length, before + 1, 'nothing but its SBOM: it has no tag yet')
  const second = await leg('i686-linux')
  assert.equal(second.main.code, 0, second.main.log)
  assert.equal(sigstore.stored.length, before + 3)
  const { digest = '' } = second.main.outputs
  assert.notEqual(digest, first.main.outputs.digest)
  const accepted = await verify(':main', ...signedBy(workflow))
  assert.equal(accepted.code, 0, accepted.stderr)
  assert.match(accepted.stdout, new RegExp(digest))
  const { details } = JSON.parse(second.main.outputs.metadata ?? '')
  assert.equal(details.attested.digest, digest)
  const bundle = sigstore.stored.at(-1) as SerializedBundle
  const statement = JSON.parse(Buffer.from(bundle.dsseEnvelope?.payload ?? '', 'base64').toString())
  const { images } = statement.predicate.buildDefinition.internalParameters
  assert.deepEqual(
    images.map(({ platform, digest }: Record<string, string>) => [platform, digest]),
    details.push.images.map(({ platform, digest }: Record<string, string>) => [platform, digest]),
  )
  assert.equal(details.push.images.length, 2)
  // Each image has its own SBOM.
  for (const { digest } of details.push.images)
    assert.equal((await sbomOf(`@${digest}`)).metadata.component.version, digest)
})

test('with a key of the user’s, in both forms, without any permission', {
  skip: withoutCosign('cosign-2') || withoutCosign('cosign'),
}, async () => {
  const { run, verify, name } = repository('keyed', { idToken: false, attestations: false })
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passphrase = 'the password of the key'
  const pem = privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
    .toString()
  const { main } = await run({
    with: { sign: 'true', 'sign-key': pem, 'sign-password': passphrase, 'sign-format': 'bundle tag' },
  })
  assert.equal(main.code, 0, main.log)
  const file = join(directory, 'key.pub')
  await writeFile(file, publicKey.export({ type: 'spki', format: 'pem' }))
  const accepted = await verify(':main', '--key', file)
  assert.equal(accepted.code, 0, accepted.stderr)
  const account = ['--registry-username', login.username, '--registry-password', login.password]
  const older = await cosign('cosign-2', { directory, sigstore }, [
    'verify',
    ...account,
    '--key',
    file,
    `${name}:main`,
  ])
  assert.equal(older.code, 0, older.stderr)
  for (const secret of [pem.split('\n')[3] ?? '', passphrase])
    assert.ok(!main.log.includes(secret) && !main.summary.includes(secret))
})

test('where Sigstore refuses, no tag is set, and it is said who refused', async () => {
  // Another one, which does not know the issuer of this job's tokens.
  await using refusing = await startSigstore()
  const { run } = repository('refused', {})
  const { main } = await run({ env: refusing.env, with: { sign: 'true' } })
  assert.equal(main.code, 1)
  const said = main.errors[0]?.message ?? ''
  assert.ok(said.startsWith(`${refusing.url} gives no certificate: `), said)
  assert.equal(world.registry.count({ method: 'PUT', path: /manifests\/main$/ }), 0)
})
