import type { Readable } from 'node:stream'

/** Sends one request: an answer of any status is a result; throws when there is none. */
export type Send = (request: {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: { readonly size: number; open(): Readable }
  readonly signal: AbortSignal
}) => Promise<{ readonly status: number; readonly body: Buffer }>

/** What requests to the GitHub API are sent with. */
export function apiHeaders(token: string): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    accept: 'application/vnd.github+json',
    'x-github-api-version': '2022-11-28',
  }
}
