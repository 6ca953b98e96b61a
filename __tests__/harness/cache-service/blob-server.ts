import type { IncomingMessage } from 'node:http'
import type { Blobs } from './blobs.ts'
import type { Call, Exchange, Method, Reply } from './exchange.ts'
import { counted, readText } from './exchange.ts'

/** The client takes the first part of the path for the account when the host is an address. */
export const blobPrefix = '/account/container/'

const writing: readonly Method[] = ['UploadBlob', 'StageBlock', 'CommitBlockList']

/** Reads a call as the blob store gets it; `undefined` when it has no such method. */
export function blobStore(request: IncomingMessage, url: URL, blobs: Blobs): Exchange | undefined {
  const method = methodOf(request, url)
  if (method === undefined) return undefined
  const blob = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
  const right = writing.includes(method) ? 'write' : 'read'
  const key = blobs.opens(url.searchParams.get('sig') ?? '', blob, right)
  return {
    method,
    key,
    refuse,
    async work(call) {
      if (key === undefined)
        return refuse(403, 'the signature does not open this blob', 'AuthenticationFailed')
      if (right === 'write') return write(request, url, blobs, blob, call)
      return read(request, blobs, blob)
    },
  }
}

function methodOf(request: IncomingMessage, url: URL): Method | undefined {
  if (request.method === 'GET') return 'DownloadBlob'
  if (request.method === 'HEAD') return 'HeadBlob'
  if (request.method !== 'PUT') return undefined
  const comp = url.searchParams.get('comp')
  if (comp === null) return 'UploadBlob'
  return comp === 'block' ? 'StageBlock' : comp === 'blocklist' ? 'CommitBlockList' : undefined
}

async function write(
  request: IncomingMessage,
  url: URL,
  blobs: Blobs,
  blob: string,
  call: Call,
): Promise<Reply> {
  if (call.method === 'CommitBlockList') {
    const xml = await readText(request)
    call.bytesIn = Buffer.byteLength(xml)
    const blocks = [...xml.matchAll(/<Latest>([^<]*)<\/Latest>/g)].map(match => match[1] ?? '')
    const complete = await blobs.commit(blob, blocks)
    return complete ? created() : refuse(400, 'a block was never staged', 'InvalidBlockList')
  }
  if (request.headers['content-length'] === undefined) {
    return refuse(411, 'the length must be announced', 'MissingContentLengthHeader')
  }
  if (call.method === 'StageBlock') {
    await blobs.stage(blob, url.searchParams.get('blockid') ?? '', counted(request, call))
    return created()
  }
  if (request.headers['x-ms-blob-type'] !== 'BlockBlob') {
    return refuse(400, 'x-ms-blob-type must be BlockBlob', 'MissingRequiredHeader')
  }
  await blobs.write(blob, counted(request, call))
  return created()
}

function read(request: IncomingMessage, blobs: Blobs, blob: string): Reply {
  const size = blobs.size(blob)
  if (size === undefined) return refuse(404, 'there is no such blob', 'BlobNotFound')
  const headers = {
    ...stamps(),
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'x-ms-blob-type': 'BlockBlob',
  }
  const file = blobs.path(blob)
  if (request.method === 'HEAD')
    return { status: 200, headers: { ...headers, 'content-length': String(size) } }
  const asked = /^bytes=(\d+)-(\d*)$/.exec(
    String(request.headers['x-ms-range'] ?? request.headers.range ?? ''),
  )
  if (asked === null) return { status: 200, headers, body: { file, start: 0, end: size } }
  const start = Number(asked[1])
  const end = Math.min(size, asked[2] === '' ? size : Number(asked[2]) + 1)
  if (start >= end) return refuse(416, 'the range lies outside of the blob', 'InvalidRange')
  const range = { 'content-range': `bytes ${start}-${end - 1}/${size}` }
  return { status: 206, headers: { ...headers, ...range }, body: { file, start, end } }
}

function created(): Reply {
  return { status: 201, headers: stamps(), body: '' }
}

function stamps(): Record<string, string> {
  return { etag: '"0x1"', 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT', 'x-ms-version': '2025-11-05' }
}

function refuse(status: number, message: string, code = codes[status] ?? 'InternalError'): Reply {
  return {
    status,
    headers: { 'content-type': 'application/xml', 'x-ms-error-code': code },
    body: `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  }
}

const codes: Readonly<Record<number, string>> = {
  403: 'AuthenticationFailed',
  404: 'BlobNotFound',
  429: 'TooManyRequests',
  503: 'ServerBusy',
}
