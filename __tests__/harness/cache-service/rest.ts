import type { IncomingMessage } from 'node:http'
import type { Entries, Entry } from './entries.ts'
import type { Exchange, Method, Reply } from './exchange.ts'
import type { Tokens } from './tokens.ts'

export type RestParts = { readonly entries: Entries; readonly tokens: Tokens }

const route = /^\/repos\/([^/]+\/[^/]+)\/actions\/caches(?:\/(\d+))?$/

/**
 * Reads a call of GitHub's REST API for caches; `undefined` when there is no such endpoint.
 * https://docs.github.com/en/rest/actions/cache
 */
export function rest(request: IncomingMessage, url: URL, parts: RestParts): Exchange | undefined {
  const [, repository = '', id] = route.exec(url.pathname) ?? []
  const method = methodOf(request.method, id)
  if (repository === '' || method === undefined) return undefined
  return {
    method,
    key: url.searchParams.get('key') ?? undefined,
    refuse,
    async work() {
      const grant = parts.tokens.grant(request.headers.authorization)
      if (grant === undefined) return refuse(401, 'Bad credentials')
      if (grant.repository !== repository) return refuse(404, 'Not Found')
      const enough = method === 'ListCaches' ? grant.actions !== 'none' : grant.actions === 'write'
      if (!enough) return refuse(403, 'Resource not accessible by integration')
      if (method === 'ListCaches') return list(matching(parts.entries, repository, url), url)
      return method === 'DeleteCacheById'
        ? deleteById(parts.entries, repository, Number(id))
        : deleteByKey(parts.entries, repository, url)
    },
  }
}

function methodOf(verb: string | undefined, id: string | undefined): Method | undefined {
  if (verb === 'GET' && id === undefined) return 'ListCaches'
  if (verb === 'DELETE') return id === undefined ? 'DeleteCachesByKey' : 'DeleteCacheById'
  return undefined
}

function list(found: Entry[], url: URL): Reply {
  const sort = url.searchParams.get('sort') ?? 'last_accessed_at'
  const ranks: Readonly<Record<string, (entry: Entry) => number>> = {
    created_at: entry => entry.created,
    last_accessed_at: entry => entry.used,
    size_in_bytes: entry => entry.size,
  }
  const rank = ranks[sort]
  if (rank === undefined) return refuse(422, 'sort is not one of the properties of a cache')
  const sign = url.searchParams.get('direction') === 'asc' ? 1 : -1
  const perPage = Math.min(100, Number(url.searchParams.get('per_page') ?? 30))
  const first = (Number(url.searchParams.get('page') ?? 1) - 1) * perPage
  const sorted = found.sort((a, b) => sign * (rank(a) - rank(b)))
  return json(200, described(sorted.slice(first, first + perPage), found.length))
}

function deleteByKey(entries: Entries, repository: string, url: URL): Reply {
  if (!url.searchParams.get('key')) return refuse(422, 'Missing required query parameter key')
  // Documented to take a complete key, and yet seen to take the beginning of one:
  // https://github.com/cli/cli/issues/10624. The stand-in does what does the greater harm.
  const found = matching(entries, repository, url)
  if (found.length === 0) return refuse(404, 'Not Found')
  for (const entry of found) entries.remove(entry)
  return json(200, described(found, found.length))
}

function deleteById(entries: Entries, repository: string, id: number): Reply {
  const entry = entries.list(repository).find(other => other.id === id)
  if (entry === undefined) return refuse(404, 'Not Found')
  entries.remove(entry)
  return { status: 204 }
}

function matching(entries: Entries, repository: string, url: URL): Entry[] {
  const key = url.searchParams.get('key') ?? ''
  const ref = url.searchParams.get('ref')
  return entries
    .list(repository)
    .filter(entry => entry.key.startsWith(key) && (ref === null || entry.scope === ref))
}

function described(entries: readonly Entry[], total: number): unknown {
  return {
    total_count: total,
    actions_caches: entries.map(entry => ({
      id: entry.id,
      ref: entry.scope,
      key: entry.key,
      version: entry.version,
      last_accessed_at: entry.usedAt,
      created_at: entry.createdAt,
      size_in_bytes: entry.size,
    })),
  }
}

function refuse(status: number, message: string): Reply {
  return json(status, { message })
}

function json(status: number, body: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: JSON.stringify(body),
  }
}
