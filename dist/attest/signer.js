import { bundleToJSON } from '../vendor/sigstore-bundle.js'
import {
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  TSAWitness,
} from '../vendor/sigstore-sign.js'
import { aborted } from '../util/aborted.js'
import { messageOf, UserError } from '../util/errors.js'
import { formatBytes } from '../util/text.js'
import { NotLogged } from './endpoints.js'
import { hintOf, sign } from './key.js'

/** Milliseconds, for each of the services. */
const timeout = 20_000
const retry = 3
/**
 * Bytes of a statement that a log may find too large. The public one takes more, and none of several megabytes: it
 * answers with any error then, or ends the connection.
 */
const largeForLog = 1024 * 1024

/**
 * @param as a token of the job's for the audience `sigstore`, which a certificate is asked for with, or a key
 * @param endpoints with a key, its `fulcio` is not asked
 * @param signal ends what is not done: no other service is asked; the one that was may be asked again for a while
 */
export function signerFor(as, endpoints, signal) {
  const { fulcio, rekor, tsa } = endpoints
  const asked =
    'key' in as
      ? { sign: async data => sign(as.key, data) }
      : new FulcioSigner({
          // Otherwise the library would take the public one.
          ...{ fulcioBaseURL: fulcio ?? '', timeout, retry },
          identityProvider: { getToken: async () => as.token },
        })
  // The library knows no signals: it is left to wait, and to try again, for an answer that nobody wants.
  const heeding = ask => {
    signal.throwIfAborted()
    return Promise.race([ask(), aborted(signal)])
  }
  const signer = { sign: async data => heeding(() => asked.sign(data)) }
  const heed = witness => ({
    testify: async (content, key) => heeding(async () => await witness.testify(content, key)),
  })
  const witnesses = []
  if (rekor !== undefined) witnesses.push(heed(new RekorWitness({ rekorBaseURL: rekor, timeout, retry })))
  if (tsa !== undefined) witnesses.push(heed(new TSAWitness({ tsaBaseURL: tsa, timeout, retry })))
  const make = async (builder, artifact) => {
    try {
      const bundle = await builder.create(artifact)
      const { content } = bundle.verificationMaterial
      // The library itself would name the key in the envelope, too, where cosign expects another name.
      if ('key' in as && content.$case === 'publicKey') content.publicKey.hint = hintOf(as.key)
      return bundleToJSON(bundle)
    } catch (error) {
      throw failure(error, endpoints, artifact.data.length)
    }
  }
  return {
    attest: data =>
      make(new DSSEBundleBuilder({ signer, witnesses }), { data, type: 'application/vnd.in-toto+json' }),
    sign: data => make(new MessageSignatureBundleBuilder({ signer, witnesses }), { data }),
  }
}

const services = {
  CA_CREATE_SIGNING_CERTIFICATE_ERROR: ['fulcio', 'gives no certificate'],
  TLOG_CREATE_ENTRY_ERROR: ['rekor', 'does not log the signature'],
  TLOG_FETCH_ENTRY_ERROR: ['rekor', 'does not show the entry that it has'],
  TSA_CREATE_TIMESTAMP_ERROR: ['tsa', 'gives no timestamp'],
}

/**
 * The library's errors say which service failed by a code. Anything else is a defect.
 * @param size bytes of what was to be signed
 */
function failure(error, endpoints, size) {
  const { code = '', cause } = error
  const [service, what] = services[code] ?? []
  if (service === undefined) return error
  const said = `${endpoints[service]} ${what}: ${messageOf(cause)}.`
  const details = {
    advice:
      'Run the job again; https://status.sigstore.dev and https://www.githubstatus.com tell of disturbances.',
    cause: error,
  }
  return code === 'TLOG_CREATE_ENTRY_ERROR' && size >= largeForLog
    ? new NotLogged(`${said} What is signed may be too large for it: ${formatBytes(size)}.`, details)
    : new UserError(said, details)
}
