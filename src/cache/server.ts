import { createReadStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import * as z from 'zod'
import { messageOf } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import type { CacheIndex } from './model.ts'
import { readAtOnce } from './nar-file.ts'
import { cacheInfo, renderNarInfo } from './narinfo.ts'
import type { PackStats, Packs } from './packs.ts'

/** What the substituter did in a job. */
export type Stats = {
  readonly pid: number
  /** Narinfos asked for that the cache had, and had not. */
  readonly hits: number
  readonly misses: number
  /** Paths whose NAR was sent, by hash, and the compressed bytes of them. */
  readonly served: readonly string[]
  readonly bytes: number
  readonly packs: PackStats
}

export type ServerOptions = {
  readonly index: CacheIndex
  readonly packs: Packs
  /** First part of every URL's path; no slash in it. */
  readonly token: string
  readonly log: Log
}

/**
 * A Nix binary cache over HTTP, and for this action's other processes a way to whole packs. It answers from the index in memory and has a pack fetched when something in it is
 * asked for. What cannot be had is 404: Nix then asks elsewhere or builds. All names come from the index, none from a
 * request: what is asked for is only ever looked up.
 * https://nix.dev/manual/nix/latest/protocols/
 */
export function binaryCache({ index, packs, token, log }: ServerOptions): Server {
  const served = new Set<string>()
  let [hits, misses, bytes] = [0, 0, 0]

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url ?? ''
    const asked = url.startsWith(`/${token}/`) ? url.slice(token.length + 2) : ''
    if (request.method === 'POST' && asked === 'want') {
      packs.prefetch(wantedSchema.parse(await json(request)), 'wanted')
      return text(response, 202, '')
    }
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return text(response, 405, 'this cache is read-only\n')
    if (asked === 'nix-cache-info') return text(response, 200, cacheInfo, 'text/x-nix-cache-info')
    if (asked === 'stats') return text(response, 200, JSON.stringify(stats()), 'application/json')
    const pack = /^packs\/([0-9a-f]{64})$/.exec(asked)?.[1]
    if (pack !== undefined) {
      const folder = await packs.folder(pack)
      return folder === undefined ? missing(response) : text(response, 200, folder)
    }
    const described = /^([0-9a-z]{32})\.narinfo$/.exec(asked)?.[1]
    if (described !== undefined) {
      const path = index.paths.get(described)
      if (path === undefined || !packs.has(path.pack)) {
        misses++
        return missing(response)
      }
      hits++
      return text(response, 200, renderNarInfo(path, `nar/${described}.nar.zst`), 'text/x-nix-narinfo')
    }
    const hash = /^nar\/([0-9a-z]{32})\.nar\.zst$/.exec(asked)?.[1] ?? ''
    const path = index.paths.get(hash)
    const file = path && (await packs.file(path))
    if (file === undefined) return missing(response)
    const { size } = await stat(file)
    response.writeHead(200, { 'content-type': 'application/x-nix-nar', 'content-length': size })
    if (request.method === 'HEAD') return void response.end()
    // Counted before it is sent: who has read all of it may ask for the counts before this process is told of its end.
    served.add(hash)
    bytes += size
    if (size <= readAtOnce) response.end(await readFile(file))
    else await pipeline(createReadStream(file), response)
  }

  function stats(): Stats {
    return { pid: process.pid, hits, misses, served: [...served], bytes, packs: packs.stats }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(error => {
      log.info(`${request.url}: ${messageOf(error)}`)
      response.destroy()
    })
  })
  // Nix keeps its connections: one that is closed while it begins to use it costs a retry.
  server.keepAliveTimeout = 10 * 60 * 1000
  return server
}

/** Hashes of packs. */
const wantedSchema = z.array(z.string()).max(20_000)

function missing(response: ServerResponse): void {
  text(response, 404, 'not in this cache\n')
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
