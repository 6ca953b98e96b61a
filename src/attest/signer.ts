import { bundleToJSON, type SerializedBundle } from '@sigstore/bundle'
import {
  type BundleBuilder,
  DSSEBundleBuilder,
  FulcioSigner,
  MessageSignatureBundleBuilder,
  RekorWitness,
  type Signer as SigstoreSigner,
  TSAWitness,
  type Witness,
} from '@sigstore/sign'
import { aborted } from '../util/aborted.ts'
import { messageOf, UserError } from '../util/errors.ts'
import { formatBytes } from '../util/text.ts'
import { type Endpoints, NotLogged } from './endpoints.ts'
import { hintOf, type SigningKey, sign } from './key.ts'

/** Signs as a job, or with a key. Each signature is also told to the log and to the timestamp authority, if there are. */
export type Signer = {
  /**
   * Signs an in-toto statement.
   * https://docs.sigstore.dev/about/bundle/
   * @throws UserError when a service of Sigstore's refuses
   * @throws NotLogged when it is the log that does, and the statement may be too large for it
   */
  attest(statement: Buffer): Promise<SerializedBundle>
  /** Signs bytes as they are. @throws UserError the same */
  sign(bytes: Buffer): Promise<SerializedBundle>
}

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
export function signerFor(
  as: { readonly token: string } | { readonly key: SigningKey },
  endpoints: Endpoints,
  signal: AbortSignal,
): Signer {
  const { fulcio, rekor, tsa } = endpoints
  const asked: SigstoreSigner =
    'key' in as
      ? { sign: async data => sign(as.key, data) }
      : new FulcioSigner({
          // Otherwise the library would take the public one.
          ...{ fulcioBaseURL: fulcio ?? '', timeout, retry },
          identityProvider: { getToken: async () => as.token },
        })
  // The library knows no signals: it is left to wait, and to try again, for an answer that nobody wants.
  const heeding = <T>(ask: () => Promise<T>) => {
    signal.throwIfAborted()
    return Promise.race([ask(), aborted(signal)])
  }
  const signer: SigstoreSigner = { sign: async data => heeding(() => asked.sign(data)) }
  const heed = (witness: Witness): Witness => ({
    testify: async (content, key) => heeding(async () => await witness.testify(content, key)),
  })
  const witnesses: Witness[] = []
  if (rekor !== undefined) witnesses.push(heed(new RekorWitness({ rekorBaseURL: rekor, timeout, retry })))
  if (tsa !== undefined) witnesses.push(heed(new TSAWitness({ tsaBaseURL: tsa, timeout, retry })))
  const make = async (builder: BundleBuilder, artifact: { data: Buffer; type?: string }) => {
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

const services: Readonly<Record<string, readonly [keyof Endpoints, string]>> = {
  CA_CREATE_SIGNING_CERTIFICATE_ERROR: ['fulcio', 'gives no certificate'],
  TLOG_CREATE_ENTRY_ERROR: ['rekor', 'does not log the signature'],
  TLOG_FETCH_ENTRY_ERROR: ['rekor', 'does not show the entry that it has'],
  TSA_CREATE_TIMESTAMP_ERROR: ['tsa', 'gives no timestamp'],
}

/**
 * The library's errors say which service failed by a code. Anything else is a defect.
 * @param size bytes of what was to be signed
 */
function failure(error: unknown, endpoints: Endpoints, size: number): unknown {
  const { code = '', cause } = error as { readonly code?: string; readonly cause?: unknown }
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
