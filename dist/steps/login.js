import { platformOf } from '../image/platform.js'

import { registryClient } from '../registry/client.js'
import { lookAtTags } from '../registry/published.js'

import { checkMayAttest } from './attest.js'

import { checkMeetingPlace } from './together.js'

/**
 * Looks at what the registry has; undefined when this run does not push.
 * @throws UserError when the registry does not take the credentials, or does not answer
 */
export async function logIn(job) {
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

function clientFor({ inputs, context, env, runner }) {
  const { image, systems, repository } = inputs
  if (repository === undefined || (image === undefined && systems.length > 0)) return undefined
  if (whyUnpushed(inputs, context) !== undefined) return undefined
  const credentials = credentialsFor(inputs, repository.host, context)
  return registryClient({ repository, credentials, env, log: runner })
}

/** Why a run that has an image does not push it; undefined when it does. */
export function whyUnpushed(inputs, context) {
  return inputs.push === 'false' ? '`push` is `false`' : whyKept(inputs, context)
}

/**
 * Why what a run builds stays there: the code may be a stranger's, and the secrets are not given to it. Undefined when
 * it may leave.
 */
export function whyKept({ push }, { eventName }) {
  if ((push === 'auto' || push === 'digest') && /^(pull_request|merge_group)/.test(eventName))
    return `\`push\` is \`${push}\`, and the event \`${eventName}\``
  return undefined
}

/**
 * The default password is the job's GitHub token. It stays with GitHub: another registry is not sent it, whatever it
 * asks for.
 */
function credentialsFor({ username, password, githubToken }, host, { serverUrl }) {
  const server = new URL(serverUrl).hostname
  const githubs = server === 'github.com' ? host === 'ghcr.io' : host.endsWith(`.${server}`)
  const isToken = password === githubToken || password.startsWith('ghs_')
  return password === '' || (isToken && !githubs) ? undefined : { username, password }
}

/** Besides the secrets themselves the forms in which requests and URLs carry them. */
export function hideSecrets(runner, { username, password, githubToken, logins, sshKey, signKey }) {
  for (const secret of [password, githubToken].filter(Boolean)) hideLogin(runner, username, secret)
  for (const login of logins) {
    hideLogin(runner, login.user, login.password)
    runner.secret(encodeURIComponent(login.password))
  }
  if (sshKey !== undefined) runner.secret(sshKey)
  for (const secret of signKey?.secrets ?? []) runner.secret(secret)
}

function hideLogin(runner, user, secret) {
  runner.secret(secret)
  runner.secret(Buffer.from(`${user}:${secret}`).toString('base64'))
}
