import { isGithubCloud } from '../attest/endpoints.js'
import { signatureAnnotations, simpleSigning } from '../attest/simple-signing.js'
import { statement } from '../attest/statement.js'

import { attach, listReferrers } from '../registry/referrers.js'
import { addTagSignature, listTagSignatures } from '../registry/signature-tag.js'
import { attestations } from '../runner/attestations.js'

import { formatBytes } from '../util/text.js'
import { githubSender } from './github.js'

/** On a referrer: who signed it. Not proven by that, but good enough to not sign again. */
const signerAnnotation = 'io.github.nix-image-action.signer'
/** https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys */
const titleAnnotation = 'org.opencontainers.image.title'
/** Bytes of a bundle that GitHub takes: its own actions refuse to send it more. */
const largestStored = 16 * 1024 * 1024

/**
 * A claim, signed.
 * @param stored whether GitHub is to know of it before it is attached
 */
export function signedClaim(job, claim, { signer, by }, stored) {
  const marks = { 'dev.sigstore.bundle.predicateType': claim.predicateType, [signerAnnotation]: by }
  return {
    marks,
    async make(subject) {
      const bundle = await signer.attest(statement(subject, claim))
      const { mediaType } = bundle
      const bytes = Buffer.from(JSON.stringify(bundle))
      const artifact = {
        artifactType: mediaType,
        content: { mediaType, bytes },
        annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope', ...marks },
      }
      if (!stored || !isGithubCloud(job.context.serverUrl)) return { artifact }
      if (bytes.length <= largestStored)
        return { artifact, keep: () => store(job).create(bundle, job.signal) }
      job.runner.info(`GitHub keeps no attestation of ${formatBytes(bytes.length)}: the registry does.`)
      return { artifact }
    },
  }
}

/** A document as it is. @param title the name of its file */
export function plainDocument(title, mediaType, text) {
  const annotations = { [titleAnnotation]: title }
  const content = { mediaType, bytes: Buffer.from(text), annotations }
  const artifact = { artifactType: mediaType, content, annotations }
  return { marks: annotations, make: async () => ({ artifact }) }
}

/**
 * Attaches what an image does not have yet: when all of it is made, and GitHub knows of what it is to know of.
 * @returns what was attached
 * @throws UserError when Sigstore, GitHub or the registry refuses
 */
export async function attachMissing({ runner, signal }, { client }, subject, wanted) {
  const { name } = client.repository
  const { digest } = subject
  const there = await listReferrers(client, digest, signal)
  const missing = []
  for (const one of wanted) {
    const marks = Object.entries(one.marks)
    const found = there.find(({ annotations = {} }) =>
      marks.every(([key, value]) => annotations[key] === value),
    )
    // Who deletes what has no tag leaves the list of it behind.
    if (found === undefined || (await client.headManifest(found.digest, signal)) === undefined)
      missing.push(one)
  }
  const making = missing.map(one => one.make({ name, digest }))
  // Nothing goes on behind a failure.
  await Promise.allSettled(making)
  const made = await Promise.all(making)
  // What is attached is what the next run knows to be done, so that comes last.
  for (const { keep } of made) await keep?.()
  const artifacts = made.map(({ artifact }) => artifact)
  await attach(client, subject, artifacts, { log: runner, signal })
  return missing
}

/**
 * Signs for verifiers that know of signatures in tags only.
 * @returns whether that had not been done before
 */
export async function signInTag({ runner, signal }, { client }, digest, { signer, by }) {
  const there = await listTagSignatures(client, digest, signal)
  if (there.some(annotations => annotations[signerAnnotation] === by)) return false
  const payload = simpleSigning({ name: client.repository.name, digest })
  const annotations = { ...signatureAnnotations(await signer.sign(payload)), [signerAnnotation]: by }
  await addTagSignature(client, digest, { payload, annotations }, { log: runner, signal })
  return true
}

/** GitHub's own attestations of this repository. The GitHub token goes to GitHub's own API only. */
export function store({ inputs, context, env, runner }) {
  const { apiUrl, repository } = context
  const send = githubSender({ env, log: runner })
  return attestations({ apiUrl, repository, token: inputs.githubToken, send })
}
