import { endpointsFor, isGithubCloud, witnessesFor } from '../attest/endpoints.js'
import { provenance } from '../attest/provenance.js'

import { signatureAnnotations, simpleSigning } from '../attest/simple-signing.js'
import { signature, statement } from '../attest/statement.js'

import { attach, listReferrers } from '../registry/referrers.js'
import { addTagSignature, listTagSignatures } from '../registry/signature-tag.js'
import { httpSender } from '../registry/transport.js'

import { attestations } from '../runner/attestations.js'
import { hasIdTokens, requestIdToken } from '../runner/id-token.js'
import { aborted } from '../util/aborted.js'

import { messageOf, UserError } from '../util/errors.js'

import { provenanceOf } from './provenance.js'

/** On a referrer: who signed it. Not proven by that, but good enough to not sign again. */
const signerAnnotation = 'io.github.nix-image-action.signer'
const predicateAnnotation = 'dev.sigstore.bundle.predicateType'
/** Milliseconds for GitHub to say whether attestations may be written. */
const longestAnswer = 10_000
/** For whom Sigstore's certificate authority takes the job's token. */
const audience = 'sigstore'

/**
 * Looks whether this job may attest and sign as it is asked to: before anything is built.
 * @throws UserError that says what the job lacks
 */
export async function checkMayAttest(job) {
  const { inputs, context, env, runner, signal } = job
  const { visibility } = context.project
  const { serverUrl } = context
  if (!needsIdentity(job)) return
  endpointsFor({ env, serverUrl, visibility })
  if (!hasIdTokens(env)) throw lacking(job, 'id-token: write')
  if (!inputs.provenance || !isGithubCloud(serverUrl)) return
  // Nobody waits for an API that is down: it is asked again when there is something to keep.
  const allowed = await store(job)
    .allowed(AbortSignal.any([signal, AbortSignal.timeout(longestAnswer)]))
    .catch(error => {
      runner.debug(`whether attestations may be written: ${messageOf(error)}`)
      return true
    })
  if (!allowed) throw lacking(job, 'attestations: write')
}

/** Whether something is signed as this job, and not with a key. */
function needsIdentity({ inputs }) {
  return inputs.provenance || (inputs.sign && inputs.signKey === undefined)
}

function lacking({ inputs, context }, permission) {
  const asked = [
    ...(inputs.provenance ? ['`provenance: true`'] : []),
    ...(inputs.sign ? ['`sign: true`'] : []),
  ]
  const permissions = ['contents: read', 'packages: write', 'id-token: write']
  if (inputs.provenance) permissions.push('attestations: write')
  const lines = ['permissions:', ...permissions.map(line => `  ${line}`)].join('\n')
  return new UserError(`${asked.join(' and ')}: this job lacks the permission \`${permission}\`.`, {
    advice: context.foreign
      ? 'A pull request from another repository never gets it: publish when it is merged, as `push: auto` does.'
      : `Add to the job, or to the workflow:\n${lines}`,
  })
}

/**
 * Attests and signs what is published, as the inputs ask for, where that has not been done before.
 * @param subject what the tags are to name: the index, or the only image
 * @param images all that it names
 * @throws UserError when Sigstore, GitHub or the registry refuses: then no tag is set
 */
export async function attestPublished(job, registry, subject, images) {
  const { inputs, phases } = job
  if (!inputs.provenance && !inputs.sign) return
  const work = async () => {
    const token = needsIdentity(job) ? await identify(job) : undefined
    const proven = inputs.provenance && token ? [await provenanceFor(job, token, images)] : []
    const signing = inputs.sign ? await signingFor(job, token) : undefined
    const signed =
      signing && inputs.signFormats.includes('bundle')
        ? [{ what: 'signature', claim: signature, ...signing }]
        : []
    const claims = await attachMissing(job, registry, subject, [...proven, ...signed])
    if (signing && inputs.signFormats.includes('tag'))
      claims.push(await signInTag(job, registry, subject.digest, signing))
    job.report.attested = { digest: subject.digest, claims }
    const name = `${registry.client.repository.name}@${subject.digest}`
    for (const { what, by, added } of claims)
      job.runner.info(`${name}: ${what} by ${by}${added ? '' : ' is there already'}`)
  }
  // The library that asks Sigstore does not heed a signal.
  await phases.time('attest', () => Promise.race([work(), aborted(job.signal)]))
}

async function identify({ env, runner, signal }) {
  const identity = await requestIdToken({ env, audience, send: httpSender(env), signal })
  runner.secret(identity.token)
  return identity
}

async function provenanceFor(job, identity, images) {
  const facts = await provenanceOf(job, identity.claims, images)
  return { what: 'provenance', claim: provenance(facts), ...(await asJob(job, identity)) }
}

async function signingFor(job, identity) {
  const { inputs, context, env } = job
  const { signKey: key } = inputs
  if (key === undefined && identity !== undefined) return await asJob(job, identity)
  if (key === undefined) throw new Error('there is neither a key nor an identity to sign with')
  const { signerFor } = await import('../attest/signer.js')
  const { serverUrl, project } = context
  const witnesses = witnessesFor({ env, serverUrl, visibility: project.visibility })
  return { signer: signerFor({ key }, witnesses), by: `key ${key.fingerprint}` }
}

/** The library is loaded where it is needed, and not by every run. */
async function asJob({ context, env }, { token, claims }) {
  const { signerFor } = await import('../attest/signer.js')
  const { serverUrl } = context
  const endpoints = endpointsFor({ env, serverUrl, visibility: claims.repository_visibility })
  return { signer: signerFor({ token }, endpoints), by: `${serverUrl}/${claims.job_workflow_ref}` }
}

async function attachMissing(job, { client }, subject, wanted) {
  const { signal } = job
  const { name } = client.repository
  const there = await listReferrers(client, subject.digest, signal)
  const missing = []
  for (const one of wanted) {
    const found = there.find(
      ({ annotations = {} }) =>
        annotations[predicateAnnotation] === one.claim.predicateType &&
        annotations[signerAnnotation] === one.by,
    )
    // Who deletes what has no tag leaves the list of it behind.
    if (found === undefined || (await client.headManifest(found.digest, signal)) === undefined)
      missing.push(one)
  }
  const { digest } = subject
  const artifacts = await Promise.all(missing.map(one => signed(job, { name, digest }, one)))
  await attach(client, subject, artifacts, signal)
  return wanted.map(one => ({ what: one.what, by: one.by, added: missing.includes(one) }))
}

/** For verifiers that know of signatures in tags only. */
async function signInTag({ signal }, { client }, digest, { signer, by }) {
  const there = await listTagSignatures(client, digest, signal)
  const added = !there.some(annotations => annotations[signerAnnotation] === by)
  if (added) {
    const payload = simpleSigning({ name: client.repository.name, digest })
    const annotations = { ...signatureAnnotations(await signer.sign(payload)), [signerAnnotation]: by }
    await addTagSignature(client, digest, { payload, annotations }, signal)
  }
  return { what: 'signature in a tag', by, added }
}

/** A signed claim, which GitHub knows of when it is about to be attached. */
async function signed(job, subject, { signer, claim, by }) {
  const bundle = await signer.attest(statement(subject, claim))
  if (claim !== signature && isGithubCloud(job.context.serverUrl)) await store(job).create(bundle, job.signal)
  const { mediaType } = bundle
  return {
    artifactType: mediaType,
    content: { mediaType, bytes: Buffer.from(JSON.stringify(bundle)) },
    annotations: {
      'dev.sigstore.bundle.content': 'dsse-envelope',
      [predicateAnnotation]: claim.predicateType,
      [signerAnnotation]: by,
    },
  }
}

/** The GitHub token goes to GitHub's own API only. */
function store({ inputs, context, env }) {
  const { apiUrl, repository } = context
  return attestations({ apiUrl, repository, token: inputs.githubToken, send: httpSender(env) })
}
