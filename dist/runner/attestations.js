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
     * Whether the token may create attestations, as far as that can be known before there is one: a document without
     * a bundle is refused in any case, for want of the permission before it is looked at.
     */
    async allowed(signal) {
      const { text } = await post({}, signal)
      return !/not accessible by integration/i.test(text)
    },
    /**
     * @param bundle a Sigstore bundle as JSON
     * @returns its number there
     * @throws UserError when GitHub does not take it
     */
    async create(bundle, signal) {
      const { status, text } = await post({ bundle }, signal)
      if (status !== 201) throw refusal(repository, status, text)
      return String(createdSchema.parse(JSON.parse(text)).id)
    },
  }
}

function refusal(repository, status, text) {
  const said = messageIn(text)
  return new UserError(
    `GitHub does not take an attestation for ${repository}: status ${status}${said === '' ? '' : ` ${said}`}.`,
    {
      advice: /not accessible by integration/i.test(said)
        ? 'Add `attestations: write` to the `permissions` of the job; those that it names are all that it has.'
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
