import { createHash, createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import {
  fulcioHandler,
  initializeCA,
  initializeCTLog,
  initializeTLog,
  initializeTSA,
  rekorHandler,
  tsaHandler,
} from '@sigstore/mock'
import { HashAlgorithm, PublicKeyDetails, TrustedRoot } from '@sigstore/protobuf-specs'
import {
  type Fault,
  type FaultOptions,
  type Hold,
  type HoldOptions,
  type Trouble,
  Troubles,
} from '../registry/troubles.ts'
import { encode, IdTokens, type JobClaims } from './id-tokens.ts'
import { canonicalEntry } from './log.ts'

type Answer = { readonly status: number; readonly type?: string; readonly body: string | Uint8Array }
type Handler = ReturnType<typeof fulcioHandler>['fn']

export type Sigstore = {
  readonly url: string
  /** By which a job finds certificate authority, log and timestamp authority. */
  readonly env: Readonly<Record<string, string>>
  /** Other ones for private repositories: without a log. */
  readonly privateEnv: Readonly<Record<string, string>>
  /** What the runner sets for a job with `id-token: write`. */
  idTokens(claims: JobClaims): Readonly<Record<string, string>>
  /** What verifiers trust: TrustedRoot as JSON. */
  readonly trustedRoot: string
  /** The same in PEM: the authority's certificate, the keys of the log and of the certificates' log. */
  readonly trusted: { readonly certificate: string; readonly log: string; readonly certificateLog: string }
  /** A token for the API of this repository, `url`: whether it may write attestations, and its text. */
  githubToken(repository: string, options: { readonly attestations: boolean; readonly token: string }): void
  /** The bundles that GitHub was given, by any job. */
  readonly stored: readonly unknown[]
  /** Method and path of each request. */
  readonly requests: readonly string[]
  fault(options: FaultOptions & Trouble): Fault
  /** Lets requests stand still before anything is done for them. */
  hold(target: HoldOptions): Hold
  secrets(): string[]
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts Sigstore's own stand-in for Fulcio, Rekor and a timestamp authority, and GitHub's issuer of tokens, on a free
 * port of 127.0.0.1. All keys live as long as this process. Certificates name a job as Fulcio does for GitHub's.
 */
export async function startSigstore(): Promise<Sigstore> {
  const tokens = new IdTokens()
  const requests: string[] = []
  const stored: unknown[] = []
  const grants = new Map<string, { repository: string; attestations: boolean }>()
  const troubles = new Troubles()
  const server = createServer(async (request, answer) => {
    const { method = '', headers } = request
    const url = new URL(request.url ?? '', 'http://localhost')
    requests.push(`${method} ${url.pathname}`)
    const body = await text(request)
    await troubles.stand(method, url.pathname)
    const trouble = troubles.meet(method, url.pathname)
    if (trouble !== undefined && 'kind' in trouble) {
      if (trouble.kind === 'hang') return
      if (trouble.kind === 'lost') await serve(url, headers.authorization, body)
      return void request.socket.resetAndDestroy()
    }
    const done: Answer =
      trouble === undefined
        ? await serve(url, headers.authorization, body)
        : {
            ...{ status: trouble.status, type: 'application/json' },
            body: JSON.stringify(trouble.body ?? { message: 'as the test wants it' }),
          }
    answer.writeHead(done.status, { 'content-type': done.type ?? 'text/plain' }).end(done.body)
  })
  server.listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const keys = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const ctlog = await initializeCTLog(keys())
  // For all of them the same whole second, after the roots were made: no fraction of one is read by every verifier.
  const clock = new Date((Math.floor(Date.now() / 1000) + 5) * 1000)
  const ca = await initializeCA(keys(), ctlog, clock)
  const tlog = await initializeTLog(url, keys(), clock)
  const tsa = await initializeTSA(keys(), clock)
  const fulcio = fulcioHandler(ca)
  const rekor = rekorHandler(tlog)
  const timestamps = tsaHandler(tsa)

  async function serve(url: URL, authorization: string | undefined, body: string): Promise<Answer> {
    switch (url.pathname) {
      case '/id-token': {
        const value = tokens.issue(authorization, url.searchParams.get('audience'))
        if (value === undefined) return { status: 401, body: 'no job' }
        return { status: 200, type: 'application/json', body: JSON.stringify({ value }) }
      }
      case fulcio.path:
        return handle(fulcio.fn, () => certificateRequest(JSON.parse(body)))
      case rekor.path:
        return handle(rekor.fn, () => canonicalEntry(JSON.parse(body)))
      case timestamps.path:
        return handle(timestamps.fn, () => JSON.parse(body))
      default: {
        const [, repository] = /^\/repos\/([^/]+\/[^/]+)\/attestations$/.exec(url.pathname) ?? []
        return repository === undefined
          ? { status: 404, body: 'not found' }
          : keep(repository, grants.get(authorization ?? ''), JSON.parse(body))
      }
    }
  }

  /** https://docs.github.com/en/rest/repos/repos#create-an-attestation */
  function keep(
    repository: string,
    grant: { readonly repository: string; readonly attestations: boolean } | undefined,
    document: { readonly bundle?: unknown },
  ): Answer {
    const say = (status: number, message: string) => {
      return { status, type: 'application/json', body: JSON.stringify({ message }) }
    }
    if (grant === undefined) return say(401, 'Bad credentials')
    if (grant.repository !== repository) return say(404, 'Not Found')
    if (!grant.attestations) return say(403, 'Resource not accessible by integration')
    if (document.bundle === undefined) return say(422, 'Invalid request. "bundle" was not supplied.')
    const id = stored.push(document.bundle)
    return { status: 201, type: 'application/json', body: JSON.stringify({ id }) }
  }

  /** Looks at what the mock does not, and gives it the name that Fulcio gives to GitHub's jobs. */
  function certificateRequest(document: {
    credentials: { oidcIdentityToken: string }
    publicKeyRequest: { publicKey: { content: string }; proofOfPossession: string }
  }): object {
    const { credentials, publicKeyRequest } = document
    const claims = tokens.verify(credentials.oidcIdentityToken, 'sigstore')
    const { publicKey, proofOfPossession } = publicKeyRequest
    const proof = Buffer.from(proofOfPossession, 'base64')
    if (!verify('sha256', Buffer.from(claims.sub ?? ''), createPublicKey(publicKey.content), proof))
      throw new Error('the key is not the one of whoever asks')
    const named = { ...claims, sub: `https://github.com/${claims.job_workflow_ref}` }
    return { ...document, credentials: { oidcIdentityToken: `${encode({ alg: 'none' })}.${encode(named)}.` } }
  }

  const close = async () => {
    troubles.releaseAll()
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
  const env = { SIGSTORE_FULCIO_URL: url }
  return {
    ...{ url, requests, stored, close, [Symbol.asyncDispose]: close },
    githubToken: (repository, { token, attestations }) =>
      void grants.set(`Bearer ${token}`, { repository, attestations }),
    env: { ...env, SIGSTORE_REKOR_URL: url },
    privateEnv: { ...env, SIGSTORE_TSA_URL: url },
    idTokens: claims => ({
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/id-token?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: tokens.allow(claims),
    }),
    trustedRoot: JSON.stringify(
      TrustedRoot.toJSON({
        mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
        certificateAuthorities: [authority(url, [ca.rootCertificate])],
        ctlogs: [log(url, ctlog.publicKey)],
        tlogs: [log(url, tlog.publicKey)],
        timestampAuthorities: [authority(url, [tsa.intCertificate, tsa.rootCertificate])],
      }),
    ),
    trusted: {
      certificate: new X509Certificate(bytesOf(ca.rootCertificate)).toString(),
      log: pemOf(tlog.publicKey),
      certificateLog: pemOf(ctlog.publicKey),
    },
    fault: fault => troubles.add(fault),
    hold: target => troubles.hold(target),
    secrets: () => tokens.secrets(),
  }
}

async function handle(handler: Handler, input: () => object): Promise<Answer> {
  try {
    const { statusCode, response, contentType } = await handler(JSON.stringify(input()))
    const body = typeof response === 'string' ? response : bytesOf(response)
    return { status: statusCode, body, ...(contentType === undefined ? {} : { type: contentType }) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { status: 400, type: 'application/json', body: JSON.stringify({ message }) }
  }
}

/** From before any of it was made: certificates have whole seconds. */
const validFor = { start: new Date(Date.now() - 3_600_000) }
const operator = 'sigstore.mock'

function authority(uri: string, certificates: readonly ArrayBufferView[]) {
  const subject = { commonName: 'sigstore', organization: operator }
  const chain = certificates.map(certificate => ({ rawBytes: bytesOf(certificate) }))
  return { subject, uri, certChain: { certificates: chain }, validFor, operator }
}

function log(baseUrl: string, key: Buffer) {
  return {
    ...{ baseUrl, operator, checkpointKeyId: undefined, hashAlgorithm: HashAlgorithm.SHA2_256 },
    logId: { keyId: createHash('sha256').update(key).digest() },
    publicKey: { rawBytes: key, keyDetails: PublicKeyDetails.PKIX_ECDSA_P256_SHA_256, validFor },
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}

function pemOf(der: Buffer): string {
  return createPublicKey({ key: der, format: 'der', type: 'spki' })
    .export({ format: 'pem', type: 'spki' })
    .toString()
}
