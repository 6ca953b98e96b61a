import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'

/** What the issuer says of a job besides what the test says. */
const usual = {
  event_name: 'push',
  job_workflow_sha: '1f2e3d4c5b6a79880716253443526170f1e2d3c4',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  repository_id: '700000001',
  repository_owner_id: '583231',
  repository_visibility: 'public',
  run_attempt: '1',
  run_id: '19000000001',
  runner_environment: 'github-hosted',
  sha: '1f2e3d4c5b6a79880716253443526170f1e2d3c4',
  workflow: 'image',
}

export type JobClaims = Readonly<Record<string, string>>

/** https://docs.github.com/en/actions/reference/security/oidc */
export const issuer = 'https://token.actions.githubusercontent.com'

/** Issues what proves to others which job it is, as GitHub's issuer does; the key lives as long as this process. */
export class IdTokens {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly #bearers = new Map<string, JobClaims>()
  readonly #issued: string[] = []

  /** What a job must show that asks for tokens. */
  allow(claims: JobClaims): string {
    const bearer = randomBytes(24).toString('base64url')
    this.#bearers.set(bearer, claims)
    return bearer
  }

  issue(authorization: string | undefined, audience: string | null): string | undefined {
    const claims = this.#bearers.get(authorization?.replace(/^Bearer /, '') ?? '')
    if (claims === undefined || audience === null) return undefined
    const now = Math.floor(Date.now() / 1000)
    const { repository = '', job_workflow_ref, ref = usual.ref } = claims
    const workflow = `${repository}/.github/workflows/image.yml@${ref}`
    const payload = {
      ...{ ...usual, workflow_ref: workflow, job_workflow_ref: job_workflow_ref ?? workflow, ...claims },
      ...{ iss: issuer, aud: audience, sub: `repo:${repository}:ref:${ref}` },
      ...{ iat: now, nbf: now, exp: now + 300, jti: randomBytes(8).toString('hex') },
    }
    const text = [{ alg: 'ES256', typ: 'JWT' }, payload].map(encode).join('.')
    const key = { key: this.#keys.privateKey, dsaEncoding: 'ieee-p1363' } as const
    const token = `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
    this.#issued.push(token)
    return token
  }

  /** What a token says that is for `audience`. @throws Error when it is not one of ours */
  verify(token: string, audience: string): Record<string, string> {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const key = { key: createPublicKey(this.#keys.privateKey), dsaEncoding: 'ieee-p1363' } as const
    const data = Buffer.from(`${header}.${payload}`)
    if (!verify('sha256', data, key, Buffer.from(signature, 'base64url'))) throw new Error('unknown issuer')
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
    if (claims.aud !== audience) throw new Error(`token is for ${claims.aud}`)
    return claims
  }

  secrets(): string[] {
    return [...this.#bearers.keys(), ...this.#issued]
  }
}

export function encode(document: unknown): string {
  return Buffer.from(JSON.stringify(document)).toString('base64url')
}
