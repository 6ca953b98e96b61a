import { endpointsFor, witnessesFor } from '../attest/endpoints.js'

import { requestIdToken } from '../runner/id-token.js'
import { githubSender } from './github.js'

/** For whom Sigstore's certificate authority takes the job's token. */
const audience = 'sigstore'

/** Whether something is signed as this job, and not with a key. */
export function needsIdentity({ inputs }) {
  return inputs.provenance || (inputs.sign && inputs.signKey === undefined)
}

/**
 * What proves to Sigstore which job this is; undefined where nothing is signed as this job.
 * @throws UserError when the runner gives none
 */
export async function identify(job) {
  if (!needsIdentity(job)) return undefined
  const { env, runner, signal } = job
  const send = githubSender({ env, log: runner })
  const identity = await requestIdToken({ env, audience, send, signal })
  runner.secret(identity.token)
  return identity
}

/** Signs as the job. The library is loaded where it is needed, and not by every run. */
export async function asJob({ context, env, signal }, { token, claims }) {
  const { signerFor } = await import('../attest/signer.js')
  const { serverUrl } = context
  const endpoints = endpointsFor({ env, serverUrl, visibility: claims.repository_visibility })
  return { signer: signerFor({ token }, endpoints, signal), by: `${serverUrl}/${claims.job_workflow_ref}` }
}

/** Signs as `sign` asks for: with the key, or as the job where there is none. */
export async function asAsked(job, identity) {
  const { inputs, context, env, signal } = job
  const { signKey: key } = inputs
  if (key === undefined && identity !== undefined) return await asJob(job, identity)
  if (key === undefined) throw new Error('there is neither a key nor an identity to sign with')
  const { signerFor } = await import('../attest/signer.js')
  const { serverUrl, project } = context
  const witnesses = witnessesFor({ env, serverUrl, visibility: project.visibility })
  return { signer: signerFor({ key }, witnesses, signal), by: `key ${key.fingerprint}` }
}
