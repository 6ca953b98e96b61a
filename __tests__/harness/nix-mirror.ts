import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { partsMirror } from '../../script/parts/paths.ts'

/** Answers one request in place of the mirror. */
export type Misbehaviour = (request: IncomingMessage, response: ServerResponse) => void

/** The release mirror as an HTTP server on 127.0.0.1, which can be told to misbehave. */
export type NixMirror = AsyncDisposable & {
  readonly url: string
  /** Paths asked for so far. */
  readonly requests: readonly string[]
  /** How the next requests are answered, one each; then as a mirror should. */
  readonly misbehave: Misbehaviour[]
}

export async function nixMirror(): Promise<NixMirror> {
  const requests: string[] = []
  const misbehave: Misbehaviour[] = []
  const server = createServer((request, response) => {
    requests.push(request.url ?? '')
    const next = misbehave.shift()
    if (next !== undefined) next(request, response)
    else serve(request, response)
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ requests, misbehave },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}

function fileOf(request: IncomingMessage): string {
  return join(partsMirror, normalize(new URL(request.url ?? '/', 'http://mirror').pathname))
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const file = fileOf(request)
  if (!existsSync(file)) {
    response.writeHead(404).end('no such release')
    return
  }
  response.writeHead(200, { 'content-length': statSync(file).size })
  pipeline(createReadStream(file), response).catch(() => {})
}

/** Sends the beginning of the file, calls `then`, and sends nothing more. */
export function standStill(then: () => void): Misbehaviour {
  return (request, response) => {
    const file = fileOf(request)
    response.writeHead(200, { 'content-length': statSync(file).size })
    createReadStream(file, { end: 999_999 }).on('end', then).pipe(response, { end: false })
  }
}

/** Breaks the connection off after the beginning of the file. */
export const breakOff: Misbehaviour = (request, response) =>
  standStill(() => response.destroy())(request, response)

export function status(code: number, headers: Record<string, string> = {}): Misbehaviour {
  return (_request, response) => {
    response.writeHead(code, headers).end('<html>an error page</html>')
  }
}
