import http from 'node:http'
import https from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { UserError } from '../util/errors.js'
import { formatBytes } from '../util/text.js'
import { isLoopback } from './reference.js'

export const defaultTimeouts = { idle: 60_000, idleUpload: 300_000 }

/** Manifests are at most 4 MiB (OCI distribution-spec 1.1); nothing else that is read is larger. */
const maxAnswer = 8 * 1024 * 1024
const maxRedirects = 5

/**
 * Sends over node:http, because bodies are streamed with a Content-Length and a proxy is chosen from a given
 * environment, where `fetch` promises neither. Follows no redirect and repeats nothing.
 * @param env HTTPS_PROXY, HTTP_PROXY and NO_PROXY are honoured, in either case, but never for this machine itself.
 */
export function httpSender(env, timeouts = defaultTimeouts) {
  const direct = new http.Agent({ keepAlive: true })
  const secure = new https.Agent({ keepAlive: true, proxyEnv: env })
  const secureDirect = new https.Agent({ keepAlive: true })
  return request => {
    const { url } = request
    const encrypted = url.protocol === 'https:'
    const agent = encrypted ? (isLoopback(url.hostname) ? secureDirect : secure) : direct
    const timeout = request.body === undefined ? timeouts.idle : timeouts.idleUpload
    return new Promise((resolve, reject) => {
      const sent = (encrypted ? https : http).request(url, {
        agent,
        timeout,
        method: request.method,
        headers: {
          'user-agent': 'nix-image-action',
          ...request.headers,
          ...(request.method === 'POST' || request.method === 'PUT'
            ? { 'content-length': request.body?.size ?? 0 }
            : {}),
        },
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      })
      sent.on('timeout', () => sent.destroy(new TimeoutError(timeout)))
      sent.on('error', reject)
      sent.on('response', answer => {
        collect(answer)
          .then(body => {
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body, url })
            // A registry may refuse before it has read everything: the rest is not sent.
            if (!sent.writableFinished) sent.destroy()
          })
          .catch(error => {
            sent.destroy()
            reject(error)
          })
      })
      if (request.body === undefined) sent.end()
      else pipeline(exactly(request.body), sent).catch(reject)
    })
  }
}

/** Nothing moved for as long as we wait. */
export class TimeoutError extends Error {
  code = 'ETIMEDOUT'

  constructor(milliseconds) {
    super(`no answer within ${milliseconds / 1000} s`)
  }
}

/**
 * Follows redirects of GET and HEAD, at most five and never from https to http. What `send` adds to a request
 * (credentials) is up to `send` for each new address.
 */
export function withRedirects(send) {
  return async request => {
    let { url } = request
    for (let redirects = 0; ; redirects++) {
      const response = await send({ ...request, url })
      const { location } = response.headers
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response
      if (request.method !== 'GET' && request.method !== 'HEAD') return response
      const next = resolveLocation(location, url)
      if (next === undefined || redirects === maxRedirects) return response
      url = next
    }
  }
}

/** The address that a Location header names, seen from `base`; undefined when it must not be gone to. */
export function resolveLocation(location, base) {
  if (!URL.canParse(location, base.href)) return undefined
  const url = new URL(location, base)
  const allowed = base.protocol === 'https:' ? ['https:'] : ['https:', 'http:']
  return allowed.includes(url.protocol) && url.username === '' && url.password === '' ? url : undefined
}

/** `;name=value` of a link, the value in quotes or without. */
const parameter = /;\s*([^\s=;,]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]*)))?/
const linkPattern = new RegExp(`<([^<>]*)>((?:\\s*${parameter.source})*)`, 'g')

/**
 * Where a list that comes in pages goes on; undefined at its end.
 * https://www.rfc-editor.org/rfc/rfc8288#section-3
 */
export function nextPage({ headers, url }) {
  for (const [, target = '', parameters = ''] of String(headers.link ?? '').matchAll(linkPattern)) {
    const named = [...parameters.matchAll(new RegExp(parameter, 'g'))]
    // Of several `rel` the first counts.
    const [, , quoted, plain = ''] = named.find(([, name]) => name?.toLowerCase() === 'rel') ?? []
    const relations = (quoted ?? plain).toLowerCase().split(/\s+/)
    if (relations.includes('next')) return resolveLocation(target, url)
  }
  return undefined
}

export function bodyOf(bytes) {
  return { size: bytes.length, open: () => Readable.from([bytes], { objectMode: false }) }
}

async function* exactly(body) {
  let size = 0
  for await (const chunk of body.open()) {
    size += chunk.length
    if (size > body.size) break
    yield chunk
  }
  if (size !== body.size) throw new Error(`a body of ${body.size} bytes has another length when it is read`)
}

async function collect(answer) {
  const chunks = []
  let size = 0
  for await (const chunk of answer) {
    size += chunk.length
    if (size > maxAnswer)
      throw new UserError(`The registry's answer is larger than ${formatBytes(maxAnswer)}.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
