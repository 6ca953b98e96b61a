import * as z from '../vendor/zod.js'
import { UserError } from '../util/errors.js'

/** https://docs.github.com/en/actions/reference/security/oidc#oidc-token-claims */
const claimsSchema = z.object({
  /** `owner/name` */
  repository: z.string(),
  repository_id: z.string(),
  repository_owner_id: z.string(),
  repository_visibility: z.string().optional(),
  ref: z.string(),
  /** The commit that the workflow runs for. */
  sha: z.string(),
  event_name: z.string(),
  /** `owner/name/.github/workflows/image.yml@refs/heads/main`: the workflow that was started. */
  workflow_ref: z.string(),
  /** The workflow that the job is in, which is another one where that is reused. */
  job_workflow_ref: z.string(),
  runner_environment: z.string(),
  run_id: z.string(),
  run_attempt: z.string(),
})

const answerSchema = z.object({ value: z.string().regex(/^[\w-]+\.[\w-]+\.[\w-]+$/) })

/** Whether the job may ask for such tokens: only then the runner says where. */
export function hasIdTokens(env) {
  return Boolean(env.ACTIONS_ID_TOKEN_REQUEST_URL && env.ACTIONS_ID_TOKEN_REQUEST_TOKEN)
}

/**
 * Asks the runner for a token. Its signature is not looked at: it comes from the runner itself, and whoever it is shown
 * to verifies it.
 * @param options.audience whom it is for
 * @throws UserError when the runner gives none
 */
export async function requestIdToken(options) {
  const { env, audience, send, signal } = options
  const url = new URL(env.ACTIONS_ID_TOKEN_REQUEST_URL ?? '')
  url.searchParams.set('audience', audience)
  const headers = {
    authorization: `Bearer ${env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}`,
    accept: 'application/json',
  }
  const { status, body } = await send({ method: 'GET', url, headers, signal })
  try {
    const { value: token } = answerSchema.parse(JSON.parse(body.toString('utf8')))
    const [, payload = ''] = token.split('.')
    const claims = claimsSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')))
    return { token, claims }
  } catch (error) {
    throw new UserError(`The runner gives no token that says which job this is: status ${status}.`, {
      advice: 'Run the job again.',
      cause: error,
    })
  }
}
