import { generateKeyPairSync } from 'node:crypto'
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** A key pair for signing store paths, as `nix key generate-secret` makes them. */
export function signingKey(name: string): { readonly secret: string; readonly public: string } {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  const [open, hidden] = [Buffer.from(x, 'base64url'), Buffer.from(d, 'base64url')]
  return {
    secret: `${name}:${Buffer.concat([hidden, open]).toString('base64')}`,
    public: `${name}:${open.toString('base64')}`,
  }
}

export type BinaryCache = AsyncDisposable & {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  readonly port: number
  /** Paths of requests that were answered with a file. */
  readonly served: string[]
  /** Logins that came with requests, as `user:password`. */
  readonly logins: Set<string>
}

/** Serves a folder that `nix copy --to file://` has written, as any web server would. */
export async function serveBinaryCache(
  folder: string,
  options: { readonly login?: string } = {},
): Promise<BinaryCache> {
  const served: string[] = []
  const logins = new Set<string>()
  const server = createServer((request, response) => {
    const [, basic] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? []
    const login = basic && Buffer.from(basic, 'base64').toString()
    if (login) logins.add(login)
    if (options.login !== undefined && login !== options.login) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="cache"' }).end('who are you?')
      return
    }
    const path = new URL(request.url ?? '/', 'http://cache').pathname
    const file = join(folder, normalize(path))
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end('not here')
      return
    }
    served.push(path)
    response.writeHead(200, { 'content-length': statSync(file).size })
    pipeline(createReadStream(file), response).catch(() => {})
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    ...{ port, served, logins },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(done => server.close(done))
    },
  }
}
