import * as z from '../vendor/zod.js'
import { UserError } from '../util/errors.js'
import { parseChallenges } from './challenge.js'
import { isPassing } from './retry.js'

/** Docker's default for a token that does not say how long it lives. */
const defaultSeconds = 60
/** A token is renewed this long before its end, so that it does not end on the way. */
const marginMilliseconds = 10_000

/** A field that is not as it should be counts as missing. */
const tokenSchema = z.object({
  token: z.string().min(1).optional().catch(undefined),
  access_token: z.string().min(1).optional().catch(undefined),
  expires_in: z.number().positive().optional().catch(undefined),
})

/**
 * Logs requests in as the registry asks (https://distribution.github.io/distribution/spec/auth/token/, or Basic).
 * How it asks is learned from `/v2/` before the first request. A token is fetched once for all requests, and again
 * when it ends or is refused. Only requests to `origin` are logged in, and only a challenge from there is heard:
 * other hosts, where a redirect or a Location leads, never see a credential.
 * @param options.scopes what the token is asked for; the challenge's own scope is a placeholder at GHCR
 * @param options.now milliseconds since the epoch
 * @param options.refused makes the error for credentials that the token server does not take
 */
export function withAuth(send, options) {
  const { origin, credentials, scopes, now, refused } = options
  let challenge = 'unasked'
  let current
  let pending

  /** What to log in with, other than `spent`, which was refused. One fetch serves all who wait. */
  const login = async spent => {
    if (current !== undefined && current !== spent && current.expires > now()) return current
    pending ??= obtain().finally(() => {
      pending = undefined
    })
    return pending
  }

  const obtain = async () => {
    if (challenge === 'unasked') {
      const response = await send({ method: 'GET', url: new URL('/v2/', origin) })
      if (isPassing(response)) return response
      challenge = response.status === 401 ? pick(response.headers['www-authenticate']) : undefined
    }
    if (challenge === undefined) return undefined
    if (challenge.scheme === 'basic') {
      current = credentials && { header: basic(credentials), expires: Number.POSITIVE_INFINITY }
      return current
    }
    const response = await send({
      method: 'GET',
      url: tokenUrl(challenge, origin, scopes),
      headers: credentials === undefined ? {} : { authorization: basic(credentials) },
    })
    if (isPassing(response)) return response
    if (response.status !== 200) throw refused(response)
    current = readToken(response, now())
    return current
  }

  return async request => {
    if (request.url.origin !== origin) return send(request)
    const used = await login()
    if (isResponse(used)) return used
    const response = await send(withAuthorization(request, used))
    if (response.status !== 401) return response
    challenge = pick(response.headers['www-authenticate'])
    const again = await login(used)
    if (isResponse(again)) return again
    return again === undefined || again.header === used?.header
      ? response
      : send(withAuthorization(request, again))
  }
}

function isResponse(login) {
  return login !== undefined && 'status' in login
}

function withAuthorization(request, authorization) {
  if (authorization === undefined) return request
  return { ...request, headers: { ...request.headers, authorization: authorization.header } }
}

function pick(header) {
  const offered = parseChallenges(header ?? '')
  return offered.find(({ scheme }) => scheme === 'bearer') ?? offered.find(({ scheme }) => scheme === 'basic')
}

function basic({ username, password }) {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** @throws UserError when the challenge names no address that credentials may be sent to. */
function tokenUrl(challenge, origin, scopes) {
  const realm = challenge.parameters.get('realm') ?? ''
  const url = URL.canParse(realm) ? new URL(realm) : undefined
  const encrypted = url?.protocol === 'https:'
  if (url === undefined || !(encrypted || (url.protocol === 'http:' && origin.startsWith('http:')))) {
    throw new UserError(
      `${new URL(origin).host} names no address that a password may be sent to for its login.`,
      {
        advice: 'The realm that it names must be an https address.',
      },
    )
  }
  const service = challenge.parameters.get('service')
  if (service !== undefined) url.searchParams.set('service', service)
  for (const scope of scopes) url.searchParams.append('scope', scope)
  return url
}

function readToken(response, now) {
  const issued = tokenSchema.safeParse(parseJson(response.body))
  const token = issued.data?.token ?? issued.data?.access_token
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw new UserError(`${response.url.host} answered a login with something that is not a token.`)
  }
  const lifetime = (issued.data?.expires_in ?? defaultSeconds) * 1000
  return { header: `Bearer ${token}`, expires: now + Math.max(lifetime - marginMilliseconds, lifetime / 2) }
}

function parseJson(bytes) {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}
