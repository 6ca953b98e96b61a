import { endpointsFor, witnessesFor } from '../attest/endpoints.ts'
import type { Signer } from '../attest/signer.ts'
import type { Job } from '../job.ts'
import { type IdToken, requestIdToken } from '../runner/id-token.ts'
import { githubSender } from './github.ts'

/** Who signs, and by what name: a workflow, as verifiers name it, or `key sha256:…`. */
export type Signing = { readonly signer: Signer; readonly by: string }

/** For whom Sigstore's certificate authority takes the job's token. */
const audience = 'sigstore'

/** Whether something is signed as this job, and not with a key. */
export function needsIdentity({ inputs }: Pick<Job, 'inputs'>): boolean {
  return inputs.provenance || (inputs.sign && inputs.signKey === undefined)
}

/**
 * What proves to Sigstore which job this is; undefined where nothing is signed as this job.
 * @throws UserError when the runner gives none
 */
export async function identify(job: Job): Promise<IdToken | undefined> {
  if (!needsIdentity(job)) return undefined
  const { env, runner, signal } = job
  const send = githubSender({ env, log: runner })
  const identity = await requestIdToken({ env, audience, send, signal })
  runner.secret(identity.token)
  return identity
}

/** Signs as the job. The library is loaded where it is needed, and not by every run. */
export async function asJob({ context, env, signal }: Job, { token, claims }: IdToken): Promise<Signing> {
  const { signerFor } = await import('../attest/signer.ts')
  const { serverUrl } = context
  const endpoints = endpointsFor({ env, serverUrl, visibility: claims.repository_visibility })
  return { signer: signerFor({ token }, endpoints, signal), by: `${serverUrl}/${claims.job_workflow_ref}` }
}

/** Signs as `sign` asks for: with the key, or as the job where there is none. */
export async function asAsked(job: Job, identity: IdToken | undefined): Promise<Signing> {
  const { inputs, context, env, signal } = job
  const { signKey: key } = inputs
  if (key === undefined && identity !== undefined) return await asJob(job, identity)
  if (key === undefined) throw new Error('there is neither a key nor an identity to sign with')
  const { signerFor } = await import('../attest/signer.ts')
  const { serverUrl, project } = context
  const witnesses = witnessesFor({ env, serverUrl, visibility: project.visibility })
  return { signer: signerFor({ key }, witnesses, signal), by: `key ${key.fingerprint}` }
}
