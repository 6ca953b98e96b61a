import { Readable } from 'node:stream'
import * as z from '../vendor/zod.js'
import { UserError } from '../util/errors.js'
import { apiHeaders } from './github-api.js'

const createdSchema = z.object({ id: z.union([z.number(), z.string()]) })
const refusedSchema = z.object({ message: z.string() })

/**
 * A repository's attestations, where `gh attestation verify` looks for them.
 * https://docs.github.com/en/rest/repos/repos#create-an-attestation
 */
export function attestations({ apiUrl, repository, token, send }) {
  const post = async (document, signal) => {
    const bytes = Buffer.from(JSON.stringify(document))
    const { status, body } = await send({
      ...{ method: 'POST', url: new URL(`${apiUrl}/repos/${repository}/attestations`), signal },
      headers: { ...apiHeaders(token), 'content-type': 'application/json' },
      body: { size: bytes.length, open: () => Readable.from([bytes], { objectMode: false }) },
    })
    return { status, text: body.toString('utf8') }
  }
  return {
    /**
     * Why the token may create none, as far as that can be known before there is one: a document without a bundle is
     * refused in any case, for want of the right to it before it is looked at.
     * @returns `permission` for a job's own token, an error for another one or another reason, undefined where none is known
     */
    async refusal(signal) {
      const { status, text } = await post({}, signal)
      if (![401, 403].includes(status) || /rate limit/i.test(text)) return undefined
      return lacksPermission.test(text) ? 'permission' : refused(repository, status, text)
    },
    /**
     * @param bundle a Sigstore bundle as JSON
     * @returns its number there
     * @throws UserError when GitHub does not take it
     */
    async create(bundle, signal) {
      const { status, text } = await post({ bundle }, signal)
      if (status !== 201) throw refused(repository, status, text)
      return String(createdSchema.parse(JSON.parse(text)).id)
    },
  }
}

/** What GitHub says to a job's own token, and what it says to others. */
const lacksPermission = /not accessible by integration/i
const isOther = /personal access token|bad credentials|must have|not found|SAML/i

function refused(repository, status, text) {
  const said = messageIn(text)
  return new UserError(
    `GitHub does not take an attestation for ${repository}: status ${status}${said === '' ? '' : ` ${said}`}.`,
    {
      advice: lacksPermission.test(said)
        ? 'Add `attestations: write` to the `permissions` of the job; those that it names are all that it has.'
        : isOther.test(said)
          ? "Leave `github-token` away, and add `attestations: write` to the `permissions` of the job: the job's own token can then do it. If it has to be another token, give that one the right to write attestations of this repository."
          : /not available|upgrade|enterprise|plan/i.test(said)
            ? 'Attestations of private repositories need GitHub Enterprise Cloud. Without it set `provenance: false`; `sign: true` and `sign-key` do not need it.'
            : 'Run the job again.',
    },
  )
}

function messageIn(text) {
  try {
    return refusedSchema
      .parse(JSON.parse(text))
      .message.replace(/[^\x20-\x7e]+/g, ' ')
      .slice(0, 300)
      .replace(/\.+$/, '')
  } catch {
    return ''
  }
}
