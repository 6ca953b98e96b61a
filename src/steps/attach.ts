import { isGithubCloud } from '../attest/endpoints.ts'
import { signatureAnnotations, simpleSigning } from '../attest/simple-signing.ts'
import { type Claim, statement } from '../attest/statement.ts'
import type { Job } from '../job.ts'
import type { Descriptor } from '../registry/model.ts'
import { type Artifact, attach, listReferrers } from '../registry/referrers.ts'
import { addTagSignature, listTagSignatures } from '../registry/signature-tag.ts'
import { attestations } from '../runner/attestations.ts'
import type { Digest } from '../util/digest.ts'
import { formatBytes } from '../util/text.ts'
import { githubSender } from './github.ts'
import type { Registry } from './model.ts'
import type { Signing } from './signing.ts'

/** Something that an image is to have beside it in the registry. */
export type Wanted = {
  /** Annotations by which it is known to be there already. */
  readonly marks: Readonly<Record<string, string>>
  /** @param subject what it is about, by the image's name */
  make(subject: Parameters<typeof statement>[0]): Promise<Made>
}

type Made = {
  readonly artifact: Artifact
  /** Lets GitHub know of it, where it is to. */
  readonly keep?: () => Promise<unknown>
}

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
export function signedClaim(job: Job, claim: Claim, { signer, by }: Signing, stored: boolean): Wanted {
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
export function plainDocument(title: string, mediaType: string, text: string): Wanted {
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
export async function attachMissing(
  { runner, signal }: Pick<Job, 'signal'> & { readonly runner: Pick<Job['runner'], 'info'> },
  { client }: Pick<Registry, 'client'>,
  subject: Descriptor,
  wanted: readonly Wanted[],
): Promise<readonly Wanted[]> {
  const { name } = client.repository
  const { digest } = subject
  const there = await listReferrers(client, digest, signal)
  const missing: Wanted[] = []
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
export async function signInTag(
  { runner, signal }: Job,
  { client }: Registry,
  digest: Digest,
  { signer, by }: Signing,
): Promise<boolean> {
  const there = await listTagSignatures(client, digest, signal)
  if (there.some(annotations => annotations[signerAnnotation] === by)) return false
  const payload = simpleSigning({ name: client.repository.name, digest })
  const annotations = { ...signatureAnnotations(await signer.sign(payload)), [signerAnnotation]: by }
  await addTagSignature(client, digest, { payload, annotations }, { log: runner, signal })
  return true
}

/** GitHub's own attestations of this repository. The GitHub token goes to GitHub's own API only. */
export function store({ inputs, context, env, runner }: Job) {
  const { apiUrl, repository } = context
  const send = githubSender({ env, log: runner })
  return attestations({ apiUrl, repository, token: inputs.githubToken, send })
}
