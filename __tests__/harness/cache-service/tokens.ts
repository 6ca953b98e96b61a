import { randomBytes } from 'node:crypto'

/** What the token of a job lets it do with the caches of its repository. */
export type Job = {
  readonly repository: string
  /** The ref that entries are written for, and read from first; none for a token without any scope of its own. */
  readonly write: string | undefined
  /** Other refs to read from, in the order they are searched: the pull request's base, the default branch. */
  readonly read: readonly string[]
  /** Saving is refused, as it is for events that GitHub does not trust. */
  readonly readOnly: boolean
}

/** What a GITHUB_TOKEN lets a job do with the REST API. */
export type Grant = { readonly repository: string; readonly actions: 'write' | 'read' | 'none' }

export const defaultRepository = 'octo-org/octo-repo'

/** Opaque random tokens and what each of them stands for. Nothing of a token can be told from its text. */
export class Tokens {
  readonly #jobs = new Map<string, Job>()
  readonly #grants = new Map<string, Grant>()

  issueJob(job: Partial<Job>): string {
    const token = secret()
    this.#jobs.set(token, {
      repository: job.repository ?? defaultRepository,
      write: job.write,
      read: job.read ?? [],
      readOnly: job.readOnly ?? false,
    })
    return token
  }

  issueGrant(grant: Partial<Grant>, token = secret()): string {
    this.#grants.set(token, {
      repository: grant.repository ?? defaultRepository,
      actions: grant.actions ?? 'write',
    })
    return token
  }

  job(authorization: string | undefined): Job | undefined {
    return this.#jobs.get(bearer(authorization))
  }

  grant(authorization: string | undefined): Grant | undefined {
    return this.#grants.get(bearer(authorization))
  }

  all(): string[] {
    return [...this.#jobs.keys(), ...this.#grants.keys()]
  }
}

/** 256 random bits that need no escaping in a URL or a header. */
export function secret(): string {
  return randomBytes(32).toString('base64url')
}

function bearer(authorization: string | undefined): string {
  return /^(?:bearer|token) (.+)$/i.exec(authorization ?? '')?.[1] ?? ''
}
