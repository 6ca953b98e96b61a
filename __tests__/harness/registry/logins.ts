import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type Answer, errors, ghcr } from './troubles.ts'

export type Login = { readonly username: string; readonly password: string }

/** How the registry asks for a login. */
export type Policy =
  | { readonly kind: 'none' }
  | { readonly kind: 'basic'; readonly login: Login }
  | { readonly kind: 'token'; readonly login: Login; readonly seconds: number | undefined }

type Token = { readonly scopes: readonly string[]; readonly ends: number }

/** Who may do what. Tokens are opaque, and good for exactly the scopes that were asked for. */
export class Logins {
  readonly #policy: Policy
  readonly #now: () => number
  readonly #tokens = new Map<string, Token>()
  readonly #issued: string[] = []

  /** @param now milliseconds since the epoch */
  constructor(policy: Policy, now: () => number) {
    this.#policy = policy
    this.#now = now
  }

  /** What stands in the way of a request to `/v2/…`; undefined when it may pass. */
  refuse(method: string, path: string, authorization: string | undefined, host: string): Answer | undefined {
    const policy = this.#policy
    if (policy.kind === 'none') return undefined
    if (policy.kind === 'basic') {
      if (isLogin(authorization, policy.login)) return undefined
      return unauthorized('Basic realm="Registry Realm"')
    }
    // GHCR's challenge names a repository and an action that have nothing to do with the request.
    const challenge = `Bearer realm="http://${host}/token",service="${host}",scope="repository:user/image:pull"`
    const token = this.#tokens.get(/^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? '')
    if (token === undefined || token.ends <= this.#now()) return unauthorized(challenge)
    const repository = /^\/v2\/(.+)\/(?:blobs|manifests|tags|referrers)\//.exec(path)?.[1]
    if (repository === undefined) return undefined
    const action = method === 'GET' || method === 'HEAD' ? 'pull' : 'push'
    return token.scopes.some(scope => {
      const [type, name, actions = ''] = scope.split(':')
      return type === 'repository' && name === repository && actions.split(',').includes(action)
    })
      ? undefined
      : errors(403, 'DENIED', 'requested access to the resource is denied')
  }

  /** The answer to `GET /token`. */
  issue(query: URLSearchParams, authorization: string | undefined): Answer {
    if (this.#policy.kind !== 'token') return errors(404, 'NOT_FOUND', 'no tokens here')
    if (authorization === undefined) return errors(401, 'UNAUTHORIZED', 'authentication required')
    if (!isLogin(authorization, this.#policy.login)) return ghcr.deniedLogin
    const token = randomBytes(24).toString('base64url')
    const { seconds } = this.#policy
    this.#issued.push(token)
    this.#tokens.set(token, {
      scopes: query.getAll('scope').flatMap(scope => scope.split(' ')),
      ends: seconds === undefined ? Number.POSITIVE_INFINITY : this.#now() + seconds * 1000,
    })
    return { status: 200, body: { token, ...(seconds === undefined ? {} : { expires_in: seconds }) } }
  }

  expire(): void {
    this.#tokens.clear()
  }

  /** Every text that no log may show. */
  secrets(): string[] {
    if (this.#policy.kind === 'none') return [...this.#issued]
    const { username, password } = this.#policy.login
    return [password, Buffer.from(`${username}:${password}`).toString('base64'), ...this.#issued]
  }
}

function unauthorized(challenge: string): Answer {
  const answer = errors(401, 'UNAUTHORIZED', 'authentication required')
  return { ...answer, headers: { 'www-authenticate': challenge } }
}

function isLogin(authorization: string | undefined, { username, password }: Login): boolean {
  const given = Buffer.from(/^Basic (.+)$/.exec(authorization ?? '')?.[1] ?? '', 'base64')
  const right = Buffer.from(`${username}:${password}`)
  return given.length === right.length && timingSafeEqual(given, right)
}
