import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Link, startNetwork } from '../network.ts'
import { blobPrefix, blobStore } from './blob-server.ts'
import { Blobs } from './blobs.ts'
import type { Counts } from './counts.ts'
import { countCalls } from './counts.ts'
import { Entries, type Entry } from './entries.ts'
import type { Call, Exchange, Method } from './exchange.ts'
import { cutUpload, send } from './exchange.ts'
import type { Fault, FaultOptions, Hold, HoldOptions, Trouble } from './faults.ts'
import { Faults } from './faults.ts'
import { rest } from './rest.ts'
import type { Grant, Job } from './tokens.ts'
import { Tokens } from './tokens.ts'
import { twirp, twirpPrefix } from './twirp.ts'

export type CacheServiceOptions = {
  /** Where entries and blobs stay when the service closes. @default a temporary directory that does not */
  readonly directory?: string
  /** What the entries of one repository may hold, in bytes. @default 10 GiB */
  readonly quota?: number
  /**
   * Host name in the signed URLs. Under `*.blob.core.windows.net` the client downloads in ranges as it does on
   * GitHub; `local-blob-host.ts` makes such a name resolve to this machine.
   * @default the service's own address, from which the client downloads with one plain GET
   */
  readonly blobHost?: string
  /** What lies between it and its clients. @default nothing */
  readonly link?: Link
  /** @default the system's clock */
  readonly now?: () => Date
}

/** What the runner sets for a job so that it finds the service. */
export type JobEnv = {
  readonly ACTIONS_CACHE_SERVICE_V2: string
  readonly ACTIONS_RESULTS_URL: string
  readonly ACTIONS_RUNTIME_TOKEN: string
  readonly GITHUB_API_URL: string
}

export type CacheService = {
  /** `http://127.0.0.1:PORT`, also the base of the REST API. */
  readonly url: string
  /** Where it keeps entries and blobs. */
  readonly directory: string
  /** A token for a job: its scopes, and whether it may save. */
  token(job: Partial<Job>): string
  /** A token for the REST API, this one or a new one. @default may write */
  githubToken(grant?: Partial<Grant>, token?: string): string
  /** The environment of a job that has this token. */
  env(token: string): JobEnv
  /** The entries that a lookup can find, oldest first. */
  entries(): readonly Readonly<Entry>[]
  /** What was reserved and never finalised. */
  reservations(): readonly Readonly<Entry>[]
  /** Removes what has exactly this key, in every scope, also what is only reserved. Gives how many. */
  delete(key: string): number
  fault(options: FaultOptions): Fault
  /** Lets calls stand still before anything is done for them. */
  hold(options: HoldOptions): Hold
  /** From now on new entries are not found; the live service takes a while to show them. */
  freeze(): void
  thaw(): void
  /** Every call since the start or the last `forget`, in the order in which they came. */
  readonly calls: readonly Readonly<Call>[]
  counts(): Counts
  forget(): void
  /** Every token and signature that was issued: texts that no log may show. */
  secrets(): string[]
  /** Closes the port: connections are refused. */
  down(): Promise<void>
  /** Opens the same port again. */
  up(): Promise<void>
  /**
   * Cuts all connections and removes what the service made, but for a directory that was given.
   * Throws when the service itself had a defect on the way.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Starts a stand-in for GitHub's cache service, its blob store and its REST API on a free port of 127.0.0.1. */
export async function startCacheService(options: CacheServiceOptions = {}): Promise<CacheService> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'cache-service-'))
  mkdirSync(directory, { recursive: true })
  const blobs = new Blobs(join(directory, 'blobs'))
  const entries = new Entries({
    file: join(directory, 'entries.json'),
    quota: options.quota ?? 10 * 1024 ** 3,
    now: options.now ?? (() => new Date()),
    onRemove: entry => blobs.remove(entry.blob),
  })
  const tokens = new Tokens()
  const faults = new Faults()
  const calls: Call[] = []
  const defects: unknown[] = []
  const serving = new Set<Promise<void>>()

  const server = createServer((request, response) => {
    // A request that was destroyed no longer knows its socket.
    const { socket } = request
    const served = serve(request, response).catch(error => {
      // A client that went away is no failure; anything else is a defect of the stand-in.
      if (!socket.destroyed && !response.headersSent) defects.push(error)
      socket.destroy()
    })
    serving.add(served)
    served.finally(() => serving.delete(served))
  })
  // A request that a hold or a fault keeps waiting is not the server's to end.
  server.requestTimeout = 0
  await listen(0)
  const { port } = server.address() as AddressInfo
  const network = options.link && (await startNetwork(port, options.link))
  const publicPort = network?.port ?? port
  const url = `http://127.0.0.1:${publicPort}`
  const blobBase =
    options.blobHost === undefined
      ? `${url}${blobPrefix}`
      : `http://${options.blobHost}:${publicPort}/container/`

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = await understand(request)
    const call: Call = { method: exchange.method, key: exchange.key, status: 0, bytesIn: 0, bytesOut: 0 }
    calls.push(call)
    if ((await faults.stand(call)) === 'drop') return void request.socket.destroy()
    await answer(exchange, faults.meet(call), call, request, response)
  }

  async function understand(request: IncomingMessage): Promise<Exchange> {
    const target = new URL(request.url ?? '/', 'http://service')
    const parts = { entries, blobs, tokens, blobUrl }
    const path = target.pathname
    const exchange = path.startsWith(twirpPrefix)
      ? await twirp(request, path, parts)
      : path.startsWith(blobPrefix) || path.startsWith('/container/')
        ? blobStore(request, target, blobs)
        : rest(request, target, parts)
    return exchange ?? unknown
  }

  function blobUrl(blob: string, right: 'read' | 'write', signature: string): string {
    return `${blobBase}${blob}?sp=${right === 'read' ? 'r' : 'w'}&sig=${signature}`
  }

  function listen(at: number): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(at, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  }

  function down(): Promise<void> {
    return new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  async function close(): Promise<void> {
    faults.dropAll()
    await network?.[Symbol.asyncDispose]()
    await down()
    await Promise.all(serving)
    if (options.directory === undefined) rmSync(directory, { recursive: true, force: true })
    if (defects.length > 0) throw new AggregateError(defects, 'the cache service failed by itself')
  }

  return {
    url,
    directory,
    token: job => tokens.issueJob(job),
    githubToken: (grant = {}, token) => tokens.issueGrant(grant, token),
    env: token => ({
      ACTIONS_CACHE_SERVICE_V2: 'True',
      ACTIONS_RESULTS_URL: `${url}/`,
      ACTIONS_RUNTIME_TOKEN: token,
      GITHUB_API_URL: url,
    }),
    entries: () => entries.list(),
    reservations: () => entries.all().filter(entry => !entry.finalized),
    delete(key) {
      const found = entries.all().filter(entry => entry.key === key)
      for (const entry of found) entries.remove(entry)
      return found.length
    },
    fault: faultOptions => faults.add(faultOptions),
    hold: holdOptions => faults.hold(holdOptions),
    freeze: () => entries.freeze(),
    thaw: () => entries.thaw(),
    calls,
    counts: () => countCalls(calls),
    forget: () => void calls.splice(0),
    secrets: () => [...tokens.all(), ...blobs.signatures()],
    down,
    up: () => listen(port),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function answer(
  exchange: Exchange,
  trouble: Trouble | undefined,
  call: Call,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (trouble === undefined) return send(response, await exchange.work(call), call)
  if ('status' in trouble) {
    const reply = exchange.refuse(trouble.status, trouble.message ?? 'the test asked for this')
    const wait = trouble.retryAfter === undefined ? {} : { 'retry-after': String(trouble.retryAfter) }
    return send(response, { ...reply, headers: { ...reply.headers, ...wait } }, call)
  }
  switch (trouble.kind) {
    case 'hang':
      return
    case 'reset':
      return void request.socket.destroy()
    case 'lost':
      await exchange.work(call)
      return void request.socket.destroy()
    case 'cut':
      if (request.method === 'PUT') return cutUpload(request, call)
      return send(response, await exchange.work(call), call, 'cut')
    default:
      return send(response, await exchange.work(call), call, trouble.kind)
  }
}

const unknown: Exchange = {
  method: 'Unknown' satisfies Method,
  work: async () => unknown.refuse(404, 'there is no such endpoint'),
  refuse: (status, msg) => ({
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ code: 'bad_route', msg, message: msg }),
  }),
}
