import { platformOf } from '../image/platform.ts'
import type { Inputs } from '../inputs/model.ts'
import type { Job } from '../job.ts'
import type { Credentials } from '../registry/auth.ts'
import { type RegistryClient, registryClient } from '../registry/client.ts'
import { lookAtTags } from '../registry/published.ts'
import type { Context } from '../runner/context.ts'
import type { Runner } from '../runner/runner.ts'
import { checkMayAttest } from './attest.ts'
import type { Registry } from './model.ts'
import { checkMeetingPlace } from './together.ts'

/**
 * Looks at what the registry has; undefined when this run does not push.
 * @throws UserError when the registry does not take the credentials, or does not answer
 */
export async function logIn(job: Job): Promise<Registry | undefined> {
  const client = clientFor(job)
  if (client === undefined) return undefined
  const { inputs, context, runner } = job
  checkMeetingPlace(job)
  await checkMayAttest(job)
  if (inputs.tags.length === 0 && inputs.push !== 'digest') {
    runner.warning(
      `No tag: no line of \`tags\` applies to this event (${context.eventName}, ${context.ref}), so the image is published by its digest only.`,
    )
  }
  const platforms = inputs.systems.map(platformOf)
  return { client, published: await lookAtTags(client, inputs.tags, platforms, job.signal) }
}

function clientFor({ inputs, context, env, runner }: Job): RegistryClient | undefined {
  const { image, systems, repository } = inputs
  if (repository === undefined || (image === undefined && systems.length > 0)) return undefined
  if (whyUnpushed(inputs, context) !== undefined) return undefined
  const credentials = credentialsFor(inputs, repository.host, context)
  return registryClient({ repository, credentials, env, log: runner })
}

/** Why a run that has an image does not push it; undefined when it does. */
export function whyUnpushed(
  inputs: Pick<Inputs, 'push'>,
  context: Pick<Context, 'eventName'>,
): string | undefined {
  return inputs.push === 'false' ? '`push` is `false`' : whyKept(inputs, context)
}

/**
 * Why what a run builds stays there: the code may be a stranger's, and the secrets are not given to it. Undefined when
 * it may leave.
 */
export function whyKept(
  { push }: Pick<Inputs, 'push'>,
  { eventName }: Pick<Context, 'eventName'>,
): string | undefined {
  if ((push === 'auto' || push === 'digest') && /^(pull_request|merge_group)/.test(eventName))
    return `\`push\` is \`${push}\`, and the event \`${eventName}\``
  return undefined
}

/**
 * The default password is the job's GitHub token. It stays with GitHub: another registry is not sent it, whatever it
 * asks for.
 */
function credentialsFor(
  { username, password, githubToken }: Inputs,
  host: string,
  { serverUrl }: Context,
): Credentials | undefined {
  const server = new URL(serverUrl).hostname
  const githubs = server === 'github.com' ? host === 'ghcr.io' : host.endsWith(`.${server}`)
  const isToken = password === githubToken || password.startsWith('ghs_')
  return password === '' || (isToken && !githubs) ? undefined : { username, password }
}

/** Besides the secrets themselves the forms in which requests and URLs carry them. */
export function hideSecrets(
  runner: Runner,
  { username, password, githubToken, logins, sshKey, signKey }: Inputs,
): void {
  for (const secret of [password, githubToken].filter(Boolean)) hideLogin(runner, username, secret)
  for (const login of logins) {
    hideLogin(runner, login.user, login.password)
    runner.secret(encodeURIComponent(login.password))
  }
  if (sshKey !== undefined) runner.secret(sshKey)
  for (const secret of signKey?.secrets ?? []) runner.secret(secret)
}

function hideLogin(runner: Runner, user: string, secret: string): void {
  runner.secret(secret)
  runner.secret(Buffer.from(`${user}:${secret}`).toString('base64'))
}
