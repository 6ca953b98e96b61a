import { basename } from 'node:path'
import { endpointsFor, isGithubCloud, NotLogged } from '../attest/endpoints.ts'
import { provenance } from '../attest/provenance.ts'
import { contents, signature } from '../attest/statement.ts'
import type { Job } from '../job.ts'
import { BlobUnknown } from '../registry/failure.ts'
import type { Descriptor } from '../registry/model.ts'
import type { Attested } from '../report.ts'
import { hasIdTokens } from '../runner/id-token.ts'
import { messageOf, UserError } from '../util/errors.ts'
import { attachMissing, plainDocument, signedClaim, signInTag, store, type Wanted } from './attach.ts'
import type { PushedImage, Registry, WrittenSbom } from './model.ts'
import { provenanceOf } from './provenance.ts'
import { asAsked, asJob, identify, needsIdentity } from './signing.ts'

type Told = Attested['claims'][number]

/** Milliseconds for GitHub to say whether attestations may be written. */
const longestAnswer = 10_000
/** https://cyclonedx.org/specification/overview/#registered-media-types */
const sbomMediaType = 'application/vnd.cyclonedx+json'

/**
 * Looks whether this job may attest and sign as it is asked to: before anything is built.
 * @throws UserError that says what the job lacks
 */
export async function checkMayAttest(job: Job): Promise<void> {
  const { inputs, context, env, runner, signal } = job
  const { visibility } = context.project
  const { serverUrl } = context
  if (!needsIdentity(job)) return
  endpointsFor({ env, serverUrl, visibility })
  if (!hasIdTokens(env)) throw lacking(job, 'id-token: write')
  if (!inputs.provenance || !isGithubCloud(serverUrl)) return
  // Nobody waits for an API that is down: it is asked again when there is something to keep.
  const refusal = await store(job)
    .refusal(AbortSignal.any([signal, AbortSignal.timeout(longestAnswer)]))
    .catch(error => void runner.debug(`whether attestations may be written: ${messageOf(error)}`))
  if (refusal === 'permission') throw lacking(job, 'attestations: write')
  if (refusal !== undefined) throw refusal
}

function lacking({ inputs, context }: Job, permission: string): UserError {
  const asked = [
    ...(inputs.provenance ? ['`provenance: true`'] : []),
    ...(inputs.sign ? ['`sign: true`'] : []),
  ]
  const permissions = ['contents: read', 'packages: write', 'id-token: write']
  if (inputs.provenance) permissions.push('attestations: write')
  const lines = ['permissions:', ...permissions.map(line => `  ${line}`)].join('\n')
  return new UserError(`${asked.join(' and ')}: this job lacks the permission \`${permission}\`.`, {
    advice:
      // One for `pull_request_target` is run with the rights of the repository that it is for.
      context.foreign && context.eventName === 'pull_request'
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
export async function attestPublished(
  job: Job,
  registry: Registry,
  subject: Descriptor,
  images: readonly PushedImage[],
): Promise<void> {
  const { inputs, runner } = job
  if (!inputs.provenance && !inputs.sign) return
  await attesting(job, async () => {
    const identity = await identify(job)
    const proving = inputs.provenance && identity ? await asJob(job, identity) : undefined
    const signing = inputs.sign ? await asAsked(job, identity) : undefined
    const wanted: (Wanted & Pick<Told, 'what' | 'by'>)[] = []
    if (proving && identity) {
      const claim = provenance(await provenanceOf(job, identity.claims, images))
      wanted.push({ what: 'provenance', by: proving.by, ...signedClaim(job, claim, proving, true) })
    }
    if (signing && inputs.signFormats.includes('bundle'))
      wanted.push({ what: 'signature', by: signing.by, ...signedClaim(job, signature, signing, false) })
    const added = await attachMissing(job, registry, subject, wanted)
    const claims: Told[] = wanted.map(one => ({ what: one.what, by: one.by, added: added.includes(one) }))
    if (signing && inputs.signFormats.includes('tag'))
      claims.push({
        ...{ what: 'signature in a tag', by: signing.by },
        added: await signInTag(job, registry, subject.digest, signing),
      })
    job.report.attested = { digest: subject.digest, claims }
    const name = `${registry.client.repository.name}@${subject.digest}`
    for (const { what, by, added } of claims)
      runner.info(`${name}: ${what} by ${by}${added ? '' : ' is there already'}`)
  })
}

/**
 * Attaches what an image holds to it: as a statement signed by the workflow where there is provenance, else by whoever
 * signs the image; as it is where nobody does, or where the log does not take a statement of that size.
 * @param subject the image, for one platform
 * @throws UserError as `attestPublished`
 */
export async function attestSbom(
  job: Job,
  registry: Registry,
  subject: Descriptor,
  { platform, file, text }: WrittenSbom,
): Promise<void> {
  const { inputs, report, runner } = job
  const name = `${registry.client.repository.name}@${subject.digest}`
  const tell = (by: string | undefined, added: boolean) => {
    report.sbom = (report.sbom ?? []).map(one =>
      one.platform === platform ? { ...one, attached: { by, added } } : one,
    )
    runner.info(`${name}: SBOM ${by ? `by ${by}` : 'without a signature'}${added ? '' : ' is there already'}`)
  }
  const attachIt = async (wanted: Wanted) =>
    (await attachMissing(job, registry, subject, [wanted])).length > 0
  await attesting(job, async () => {
    const identity = await identify(job)
    const signing =
      inputs.provenance && identity
        ? await asJob(job, identity)
        : inputs.sign
          ? await asAsked(job, identity)
          : undefined
    try {
      if (signing)
        return tell(signing.by, await attachIt(signedClaim(job, contents(text), signing, inputs.provenance)))
    } catch (error) {
      if (!(error instanceof NotLogged)) throw error
      runner.warning(`The SBOM of ${platform} is attached without a signature: ${error.message}`)
    }
    tell(undefined, await attachIt(plainDocument(basename(file), sbomMediaType, text)))
  })
}

async function attesting(job: Job, work: () => Promise<void>): Promise<void> {
  await job.phases.time('attest', async () => {
    try {
      await work()
    } catch (error) {
      // That the registry has lost a part of the image itself is something else: that is made again.
      if (!(error instanceof BlobUnknown)) throw error
      throw new UserError(error.message, { advice: 'Run the job again.', cause: error })
    }
  })
}
