import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { startDockerRegistry } from './docker-registry.ts'
import { ReferrerLists } from './lists.ts'
import { type Login, Logins } from './logins.ts'
import {
  type Answer,
  type Fault,
  type FaultOptions,
  ghcr,
  type Hold,
  type HoldOptions,
  type Target,
  type Trouble,
  Troubles,
} from './troubles.ts'

export type RegistryOptions = {
  /** Where blobs and manifests stay when it closes. @default a temporary directory that does not */
  readonly directory?: string
  /** Asks for tokens as GHCR does, and gives them to this login only. @default open to everyone */
  readonly tokens?: Login
  /** Asks for Basic authentication. */
  readonly basic?: Login
  /** What a token lives, and says that it lives. @default for ever, and it says nothing, as at GHCR */
  readonly tokenSeconds?: number
  /** Milliseconds since the epoch. @default the system's clock */
  readonly now?: () => number
  /** How it writes Locations. @default relative */
  readonly location?: 'relative' | 'absolute'
  /** Blobs are sent to and read from a second host, by signed addresses; it refuses any credential. */
  readonly storage?: boolean
  /** Lists what refers to a manifest, so many on a page. @default it does not, as GHCR and docker-registry */
  readonly referrers?: number
}

export type RegistryRequest = {
  readonly server: 'registry' | 'storage'
  readonly method: string
  /** Without its query. */
  readonly path: string
  /** Scopes that a request for a token asks for. */
  readonly scopes: readonly string[]
  /** How it is logged in; never with what. */
  readonly login: 'none' | 'Basic' | 'Bearer'
  /** 0 until it is answered, and when it never is. */
  status: number
  /** Bytes of its body that came. */
  received: number
}

export type Registry = {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Every request since the start or the last `forget`, in the order in which they came. */
  readonly requests: readonly Readonly<RegistryRequest>[]
  /** How many of them fit. */
  count(target: Target): number
  forget(): void
  fault(options: FaultOptions & Trouble): Fault
  /** Lets requests stand still before anything is done for them. */
  hold(target: HoldOptions): Hold
  /** From now on the tokens that were issued are not taken. */
  expireTokens(): void
  /** Password and tokens, in each form that was on the wire: texts that no log may show. */
  secrets(): string[]
  /** Cuts all connections, ends docker-registry, and removes what it kept, but for a directory that was given. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Has characters that a careless rewriting of the query would change. */
const signature = 'sig=a%2Bb+c~d%20e'
const chunkLimit = 4 * 1024 ** 2

/** Starts Debian's docker-registry behind a front that has GHCR's habits, on a free port of 127.0.0.1. */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const runtime = await mkdtemp(join(tmpdir(), 'registry-'))
  const directory = resolve(options.directory ?? join(runtime, 'storage'))
  const socket = join(runtime, 'socket')
  await mkdir(directory, { recursive: true })
  const backend = await startDockerRegistry(socket, directory, runtime).catch(async error => {
    await rm(runtime, { recursive: true })
    throw error
  })

  const troubles = new Troubles()
  const lists = options.referrers === undefined ? undefined : new ReferrerLists(options.referrers)
  const requests: RegistryRequest[] = []
  const logins = new Logins(policyOf(options), options.now ?? Date.now)
  const servers = [http.createServer((request, answer) => void serve('registry', request, answer))]
  if (options.storage)
    servers.push(http.createServer((request, answer) => void serve('storage', request, answer)))
  for (const server of servers) {
    // A hold may last longer than Node's limits on a request.
    server.requestTimeout = 0
    server.listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
  }
  const [host = '', storageHost = ''] = servers.map(
    // Another name, too, so that credentials bound to a name alone would be seen to stay away.
    (server, index) => `${index === 0 ? '127.0.0.1' : 'localhost'}:${(server.address() as AddressInfo).port}`,
  )

  const close = async () => {
    troubles.releaseAll()
    for (const server of servers) {
      server.close()
      server.closeAllConnections()
    }
    await backend.stop()
    await rm(runtime, { recursive: true, force: true })
  }
  return {
    host,
    requests,
    count: ({ method, path }) =>
      requests.filter(
        request => (method ?? request.method) === request.method && (path?.test(request.path) ?? true),
      ).length,
    forget: () => void requests.splice(0),
    fault: fault => troubles.add(fault),
    hold: target => troubles.hold(target),
    expireTokens: () => logins.expire(),
    secrets: () => logins.secrets(),
    close,
    [Symbol.asyncDispose]: close,
  }

  async function serve(
    server: 'registry' | 'storage',
    request: http.IncomingMessage,
    answer: http.ServerResponse,
  ): Promise<void> {
    const { method = '', headers } = request
    const url = new URL(request.url ?? '', `http://${host}`)
    const path = url.pathname
    const record: RegistryRequest = {
      server,
      method,
      path,
      scopes: url.searchParams.getAll('scope'),
      login:
        headers.authorization === undefined
          ? 'none'
          : headers.authorization.startsWith('Basic')
            ? 'Basic'
            : 'Bearer',
      status: 0,
      received: 0,
    }
    requests.push(record)
    const count = (chunk: Buffer) => {
      record.received += chunk.length
    }
    answer.on('finish', () => {
      record.status = answer.statusCode
    })

    await troubles.stand(method, path)
    const trouble = troubles.meet(method, path)
    if (trouble !== undefined && 'status' in trouble) return reply(answer, trouble)
    switch (trouble?.kind) {
      case 'reset':
        return void request.socket.resetAndDestroy()
      case 'cut':
        return void request.once('data', chunk => {
          count(chunk)
          request.socket.resetAndDestroy()
        })
      case 'hang':
        return
    }
    const refusal = server === 'storage' ? atStorage(headers, url) : atRegistry(method, headers, url)
    if (refusal !== undefined) {
      return trouble === undefined ? reply(answer, refusal) : void request.socket.resetAndDestroy()
    }
    request.on('data', count)
    try {
      await forward(request, answer, server, trouble !== undefined)
    } catch {
      // Either side went away.
      answer.destroy()
    }
  }

  function atRegistry(method: string, headers: http.IncomingHttpHeaders, url: URL): Answer | undefined {
    const { pathname } = url
    if (pathname === '/token') return logins.issue(url.searchParams, headers.authorization)
    const refusal = logins.refuse(method, pathname, headers.authorization, host)
    if (refusal !== undefined) return refusal
    const [, listed] = /\/referrers\/(sha256:[0-9a-f]+)$/.exec(pathname) ?? []
    if (listed !== undefined) return lists?.answer(listed, url) ?? { status: 404, body: '404 page not found' }
    if (method === 'PATCH' && headers['content-range'] && Number(headers['content-length']) > chunkLimit) {
      return ghcr.chunkTooLarge
    }
    if (options.storage && (method === 'GET' || method === 'HEAD') && /\/blobs\/sha256:/.test(pathname)) {
      return { status: 307, headers: { location: `http://${storageHost}${pathname}?${signature}` } }
    }
    return undefined
  }

  /** Takes a signed address as it was given out, and nothing else. */
  function atStorage(headers: http.IncomingHttpHeaders, url: URL): Answer | undefined {
    if (headers.authorization !== undefined) return { status: 400, body: 'InvalidArgument: only one login' }
    if (!`${url.search}&`.includes(`${signature}&`)) return { status: 403, body: 'SignatureDoesNotMatch' }
    return undefined
  }

  async function forward(
    request: http.IncomingMessage,
    answer: http.ServerResponse,
    server: 'registry' | 'storage',
    lost: boolean,
  ): Promise<void> {
    const { authorization: _, ...headers } = request.headers
    const onward = http.request({
      socketPath: socket,
      method: request.method,
      path: request.url,
      headers: { ...headers, host },
    })
    const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
      onward.on('response', resolve)
      onward.on('error', reject)
    })
    const body: Buffer[] = []
    const isManifest = request.method === 'PUT' && request.url?.includes('/manifests/')
    if (isManifest) request.on('data', chunk => body.push(chunk))
    const sent = pipeline(request, onward)
    sent.catch(() => onward.destroy())
    const response = await answered
    const subject = isManifest && response.statusCode === 201 ? lists?.note(Buffer.concat(body)) : undefined
    if (lost) {
      response.resume()
      return void request.socket.resetAndDestroy()
    }
    const location = response.headers.location
    answer.writeHead(response.statusCode ?? 502, {
      ...response.headers,
      ...(location === undefined ? {} : { location: locationFor(location, server) }),
      ...(subject === undefined ? {} : { 'oci-subject': subject }),
    })
    await pipeline(response, answer)
  }

  function locationFor(location: string, server: 'registry' | 'storage'): string {
    const url = new URL(location, `http://${host}`)
    const target = `${url.pathname}${url.search}`
    if (options.storage && server === 'registry' && target.includes('/blobs/uploads/')) {
      return `http://${storageHost}${target}${url.search === '' ? '?' : '&'}${signature}`
    }
    return options.location === 'absolute' ? `http://${host}${target}` : target
  }
}

function policyOf({ tokens, basic, tokenSeconds }: RegistryOptions): ConstructorParameters<typeof Logins>[0] {
  if (tokens !== undefined) return { kind: 'token', login: tokens, seconds: tokenSeconds }
  return basic === undefined ? { kind: 'none' } : { kind: 'basic', login: basic }
}

function reply(answer: http.ServerResponse, { status, headers = {}, body = '' }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  answer.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain' : 'application/json',
    ...headers,
  })
  answer.end(text)
}
