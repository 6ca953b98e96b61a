import * as z from '../vendor/zod.js'
import { codeOf, messageOf, UserError } from '../util/errors.js'

import { isSecondaryLimit } from './retry.js'

const errorSchema = z.object({
  errors: z.array(z.object({ code: z.string().catch(''), message: z.string().catch('') })).min(1),
})

/** With what a checkout needs: a permission that is not named is taken away. */
const permissions = 'Give the job `permissions: { contents: read, packages: write }`.'

/** What registries say, and what to do about it; the first that fits is taken. */
const known = [
  {
    says: /write_package/i,
    advice: ({ repository }) =>
      `${permissions} If the job has it, the package ${repository.name} belongs to another repository: in the ` +
      "package's settings, under Manage Actions access, add this repository with the role Write.",
  },
  {
    says: /installation not allowed to/i,
    advice: () =>
      `${permissions} If the job has it, the organization does not let workflows create packages: see Workflow ` +
      'permissions in its Actions settings.',
  },
  {
    says: /^status 429|toomanyrequests|rate limit/i,
    advice: ({ repository }) =>
      `${repository.host} limits how much is asked of it in a minute. Run the job again later, or fewer at once.`,
  },
  {
    says: /^status 413|size_invalid|too large/i,
    advice: ({ repository }) =>
      `${repository.host} does not take blobs of this size (ghcr.io: 10 GB). Split the image into more layers.`,
  },
  {
    says: /name_unknown|repository.*(?:not exist|not found|unknown)/i,
    advice: ({ repository }) => `Create ${repository.path} at ${repository.host} first, or correct \`name\`.`,
  },
  { says: /name_invalid/i, advice: () => 'Correct `name`: this registry does not take it.' },
  {
    says: /^status 40[13]|denied|unauthorized/i,
    advice: ({ repository, credentials }) =>
      repository.host === 'ghcr.io'
        ? `${permissions} The owner in \`name\` must be the owner of this workflow's repository.`
        : `Give ${credentials === undefined ? 'the job a login' : `'${credentials.username}'`} the right to push ` +
          `to ${repository.path}, or set \`username\` and \`password\` to a login that has it.`,
  },
  {
    says: /^status 5/,
    advice: ({ repository }) => `${repository.host} has a fault. Run the job again when it is over.`,
  },
]

/**
 * An answer that ends the push, in words.
 * @param what was asked: `the upload of sha256:…`
 */
export function answerFailure(response, what, subject) {
  const said = whatIsSaid(response, subject.credentials)
  const place = `${subject.repository.name}: ${response.url.host} refused ${what}`
  // A token that is taken and then refused all the same lacks the right; so says the 401 then.
  const advice = known.find(({ says }) => says.test(said))?.advice(subject)
  return new UserError(`${place}: ${said}.`, advice === undefined ? {} : { advice })
}

/** A token server that does not take the login. */
export function loginFailure(response, subject) {
  const { repository, credentials } = subject
  if ((response.status !== 401 && response.status !== 403) || isSecondaryLimit(response)) {
    return answerFailure(response, 'the login', subject)
  }
  const said = whatIsSaid(response, credentials)
  if (credentials === undefined) {
    return new UserError(
      `${repository.host} wants a login to push ${repository.path}, and there is none: ${said}.`,
      {
        advice: 'Set `username` and `password`.',
      },
    )
  }
  return new UserError(
    `${repository.host} does not accept the password of '${credentials.username}' for ${repository.path}: ${said}.`,
    {
      advice:
        repository.host === 'ghcr.io'
          ? `${permissions} Leave \`username\` and \`password\` away, or set \`password\` to a token that has not ` +
            'expired and has the scope write:packages.'
          : `Set \`username\` and \`password\` to a login that \`docker login ${repository.host}\` accepts.`,
    },
  )
}

/** A connection that does not come about or breaks, in words. Anything else is given back as it is. */
export function connectionFailure(error, what, subject) {
  const code = codeOf(error)
  if (error instanceof UserError || code === undefined) return error
  const { host } = subject.repository
  const advice = /^(ENOTFOUND|EAI_)/.test(code)
    ? `Correct the host in \`name\`, or let this runner resolve ${host}.`
    : /CERT|_ISSUER|_SIGNATURE|^ERR_TLS/.test(code)
      ? `Give the runner the certificate authority of ${host}: set NODE_EXTRA_CA_CERTS in its environment.`
      : /^(ERR_SSL|EPROTO|HPE_)/.test(code)
        ? `${host} does not speak HTTP over TLS as it should. Plain http is only spoken to localhost and 127.0.0.0/8.`
        : /^(ECONN|EHOST|ENET|EPIPE|ETIMEDOUT|ERR_STREAM_PREMATURE_CLOSE|ERR_PROXY)/.test(code)
          ? `See that ${host} is up and that this runner can reach it (HTTPS_PROXY and NO_PROXY are honoured).`
          : undefined
  if (advice === undefined) return error
  return new UserError(
    `${subject.repository.name}: ${what} failed: ${messageOf(error)}${coded(error, code)}.`,
    {
      advice,
      cause: error,
    },
  )
}

function coded(error, code) {
  return messageOf(error).includes(code) ? '' : ` (${code})`
}

/** The registry's code and message behind the status, short, of printable characters, and without the password. */
function whatIsSaid(response, credentials) {
  let said = ''
  try {
    const parsed = errorSchema.parse(JSON.parse(response.body.toString()))
    said = parsed.errors.map(({ code, message }) => [code, message].filter(Boolean).join(': ')).join('; ')
  } catch {
    const type = String(response.headers['content-type'] ?? '')
    if (type.startsWith('text/plain')) said = response.body.toString()
  }
  if (credentials?.password) said = said.replaceAll(credentials.password, '***')
  said = said
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 300)
    .replace(/\.+$/, '')
  return `status ${response.status}${said === '' ? '' : ` ${said}`}`
}

/** A manifest names a blob that the registry does not have, or not yet: at GHCR this may pass. */
export class BlobUnknown extends UserError {}
