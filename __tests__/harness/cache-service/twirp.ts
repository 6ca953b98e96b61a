import type { IncomingMessage } from 'node:http'
import type { Blobs, Right } from './blobs.ts'
import type { Entries } from './entries.ts'
import type { Exchange, Reply } from './exchange.ts'
import { readText } from './exchange.ts'
import type { Job, Tokens } from './tokens.ts'
import { secret } from './tokens.ts'

export type TwirpParts = {
  readonly entries: Entries
  readonly blobs: Blobs
  readonly tokens: Tokens
  /** Where a blob is read or written with a signature. */
  readonly blobUrl: (blob: string, right: Right, signature: string) => string
}

type Message = Readonly<Record<string, unknown>>
type Service = TwirpParts & { readonly job: Job }

export const twirpPrefix = '/twirp/github.actions.results.api.v1.CacheService/'

const methods = {
  CreateCacheEntry: create,
  FinalizeCacheEntryUpload: finalize,
  GetCacheEntryDownloadURL: find,
}

const codes: Readonly<Record<number, string>> = {
  400: 'invalid_argument',
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  409: 'already_exists',
  429: 'resource_exhausted',
  503: 'unavailable',
}

/** Reads a call of the cache service's own protocol; `undefined` when it has no such method. */
export async function twirp(
  request: IncomingMessage,
  path: string,
  parts: TwirpParts,
): Promise<Exchange | undefined> {
  const method = path.slice(twirpPrefix.length)
  if (!Object.hasOwn(methods, method) || request.method !== 'POST') return undefined
  const name = method as keyof typeof methods
  const text = await readText(request)
  const message: Message = JSON.parse(text)
  return {
    method: name,
    key: textOf(message, 'key'),
    refuse,
    async work(call) {
      call.bytesIn = Buffer.byteLength(text)
      const job = parts.tokens.job(request.headers.authorization)
      if (job === undefined) return refuse(401, 'missing or unknown token')
      const wrong = flaw(message)
      return wrong === undefined ? methods[name]({ ...parts, job }, message) : refuse(400, wrong)
    },
  }
}

function create({ job, entries, blobs, blobUrl }: Service, message: Message): Reply {
  const { write } = job
  if (job.readOnly || write === undefined) {
    return ok({ ok: false, message: 'cache write denied: the token of this job is read-only' })
  }
  const key = textOf(message, 'key')
  const blob = secret()
  const entry = entries.reserve({ ...job, write }, key, textOf(message, 'version'), blob)
  if (entry === undefined) {
    return refuse(409, 'cache entry with the same key, version, and scope already exists')
  }
  return ok({ ok: true, signed_upload_url: blobUrl(blob, 'write', blobs.sign(blob, 'write', key)) })
}

function finalize({ job, entries, blobs }: Service, message: Message): Reply {
  const entry = entries.reserved(job, textOf(message, 'key'), textOf(message, 'version'))
  const size = entry === undefined ? undefined : blobs.size(entry.blob)
  if (entry === undefined || size === undefined) return refuse(404, 'no upload to finalize under this key')
  if (textOf(message, 'size_bytes') !== String(size))
    return refuse(400, 'size_bytes is not what was uploaded')
  blobs.seal(entry.blob)
  entries.finalize(entry, size)
  return ok({ ok: true, entry_id: String(entry.id) })
}

function find({ job, entries, blobs, blobUrl }: Service, message: Message): Reply {
  if (job.write === undefined && job.read.length === 0) {
    return refuse(403, 'cache read denied: the token of this job has no readable scopes')
  }
  const keys = [textOf(message, 'key'), ...restoreKeysOf(message)]
  const entry = entries.lookup(job, keys, textOf(message, 'version'))
  if (entry === undefined) return ok({ ok: false })
  entries.use(entry)
  const url = blobUrl(entry.blob, 'read', blobs.sign(entry.blob, 'read', entry.key))
  return ok({ ok: true, signed_download_url: url, matched_key: entry.key })
}

function flaw(message: Message): string | undefined {
  const keys = [textOf(message, 'key'), ...restoreKeysOf(message)]
  if (keys.length > 10) return 'more than 10 keys'
  if (keys.some(key => key === '' || key.length > 512 || key.includes(','))) {
    return 'keys have 1 to 512 characters and no commas'
  }
  return textOf(message, 'version') === '' ? 'version is missing' : undefined
}

function ok(message: Message): Reply {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(message),
  }
}

function refuse(status: number, msg: string): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code: codes[status] ?? 'internal', msg }),
  }
}

function textOf(message: Message, field: string): string {
  const value = message[field]
  return typeof value === 'string' ? value : ''
}

function restoreKeysOf(message: Message): string[] {
  const keys = message.restore_keys
  return Array.isArray(keys) ? keys.map(String) : []
}
