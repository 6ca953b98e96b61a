import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** What a client can ask of the service. */
export type Method =
  | 'CreateCacheEntry'
  | 'FinalizeCacheEntryUpload'
  | 'GetCacheEntryDownloadURL'
  | 'UploadBlob'
  | 'StageBlock'
  | 'CommitBlockList'
  | 'DownloadBlob'
  | 'HeadBlob'
  | 'ListCaches'
  | 'DeleteCachesByKey'
  | 'DeleteCacheById'
  | 'Unknown'

/** One request, as it is counted. */
export type Call = {
  readonly method: Method
  /** The cache key that it is about, where the request tells. */
  readonly key: string | undefined
  /** 0 when it was not answered (yet). */
  status: number
  /** Of the body, as far as it was read. */
  bytesIn: number
  /** Of the body, as far as it was written. */
  bytesOut: number
}

/** Part of a file: from byte `start` up to, not including, byte `end`. */
export type Slice = { readonly file: string; readonly start: number; readonly end: number }

export type Reply = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Slice
}

/** A request that has been understood, and how its protocol answers it. */
export type Exchange = {
  readonly method: Method
  readonly key?: string | undefined
  /** Does what was asked. Called at most once. */
  work(call: Call): Promise<Reply>
  /** An error in the words of this protocol. */
  refuse(status: number, message: string): Reply
}

/** How a body is spoilt on its way out. */
export type Damage = 'cut' | 'truncate' | 'corrupt'

export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

/** Passes a body on, counting it. */
export async function* counted(body: Readable, call: Call): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    call.bytesIn += chunk.length
    yield chunk
  }
}

async function drain(request: IncomingMessage, call: Call): Promise<void> {
  for await (const chunk of request) call.bytesIn += chunk.length
}

/** Reads half of the announced body, then cuts the connection. */
export async function cutUpload(request: IncomingMessage, call: Call): Promise<void> {
  const { socket } = request
  const half = Number(request.headers['content-length'] ?? 0) / 2
  for await (const _ of counted(request, call)) if (call.bytesIn >= half) break
  socket.destroy()
}

/** Writes the reply, spoilt if so told. Throws when the client goes away. */
export async function send(
  response: ServerResponse,
  reply: Reply,
  call: Call,
  damage?: Damage,
): Promise<void> {
  // A client that is answered before it has sent everything keeps its connection, and its process, for seconds.
  if (!response.req.readableEnded) await drain(response.req, call)
  call.status = reply.status
  const whole = sizeOf(reply.body)
  const half = Math.floor(whole / 2)
  const headers: Record<string, string> = { ...reply.headers }
  if (reply.body !== undefined) headers['content-length'] = String(damage === 'truncate' ? half : whole)
  response.writeHead(reply.status, headers)
  if (reply.body === undefined || whole === 0) return void response.end()
  const end = damage === 'cut' || damage === 'truncate' ? half : whole
  await pipeline(bytesOf(reply.body, end, damage === 'corrupt' ? half : undefined, call), response, {
    end: damage !== 'cut',
  })
  // Not at once: bytes that wait to be sent would be dropped, and the cut would not be in the middle.
  if (damage === 'cut') response.socket?.destroySoon()
}

function sizeOf(body: string | Slice | undefined): number {
  if (body === undefined) return 0
  return typeof body === 'string' ? Buffer.byteLength(body) : body.end - body.start
}

async function* bytesOf(
  body: string | Slice,
  length: number,
  flipAt: number | undefined,
  call: Call,
): AsyncGenerator<Buffer> {
  if (length === 0) return
  const chunks: Iterable<Buffer> | AsyncIterable<Buffer> =
    typeof body === 'string'
      ? [Buffer.from(body).subarray(0, length)]
      : createReadStream(body.file, { start: body.start, end: body.start + length - 1 })
  for await (const chunk of chunks) {
    const at = flipAt === undefined ? -1 : flipAt - call.bytesOut
    if (at >= 0 && at < chunk.length) chunk[at] = (chunk[at] ?? 0) ^ 0xff
    call.bytesOut += chunk.length
    yield chunk
  }
}
