import { codeOf, messageOf } from '../util/errors.js'

import { formatSeconds } from '../util/text.js'
import { TimeoutError } from './transport.js'

const attempts = 6
/** A registry that says nothing for minutes is not waited for as often as one that refuses at once. */
const attemptsThatTimeOut = 2
const firstWait = 500
const longestWait = 120_000
/** What GitHub asks for where a secondary rate limit names no time. */
const secondaryWait = 60_000

const passingCodes = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ETIMEDOUT',
])

/**
 * Repeats what failed in a passing way: connections that break, 408, 429, 5xx and GitHub's secondary rate limit.
 * Waits 0.5, 1, 2, 4, 8 s, or longer when the registry says so; a wait beyond two minutes is not waited for.
 * Without jitter: a run's few concurrent requests are no herd.
 * @param of who is asked, for the log: `The registry`
 * @param now milliseconds since the epoch, for `Retry-After` dates
 */
export function retrier(options) {
  const { of, sleep, now, log } = options
  return async (attempt, { signal, also } = {}) => {
    let timeouts = 0
    for (let done = 1; ; done++) {
      let wait = firstWait * 2 ** (done - 1)
      let why
      try {
        const response = await attempt()
        if (!isPassing(response) && !also?.(response)) return response
        const asked = retryAfter(response, now()) ?? (isSecondaryLimit(response) ? secondaryWait : 0)
        wait = Math.max(wait, asked)
        if (done >= attempts || wait > longestWait) return response
        why = `status ${response.status}`
      } catch (error) {
        if (error instanceof TimeoutError) timeouts++
        if (signal?.aborted || !passingCodes.has(codeOf(error) ?? '')) throw error
        if (done >= attempts || timeouts >= attemptsThatTimeOut) throw error
        why = messageOf(error)
      }
      log.info(`${of} did not serve a request (${why}); trying again in ${formatSeconds(wait / 1000)}.`)
      await sleep(wait, signal)
    }
  }
}

/** Whether the same request may well be served a little later. */
export function isPassing(response) {
  return [408, 429, 500, 502, 503, 504].includes(response.status) || isSecondaryLimit(response)
}

/** GitHub's limit on bursts comes as 403, as if something was forbidden. */
export function isSecondaryLimit(response) {
  return response.status === 403 && /secondary rate limit/i.test(response.body.toString())
}

/**
 * Milliseconds that an answer asks to wait, rounded up; undefined when it asks for nothing.
 * Reads the Retry-After header (RFC 9110, section 10.2.3: seconds or a date), and else GHCR's way of saying it in
 * the body: `retry-after: 10.3ms, allowed: 2000/minute`.
 */
export function retryAfter(response, now) {
  const header = response.headers['retry-after']?.trim()
  if (header) {
    const fromHeader = parseDuration(/^\d+$/.test(header) ? `${header}s` : header)
    if (fromHeader !== undefined) return fromHeader
    const date = Date.parse(header)
    if (!Number.isNaN(date)) return Math.max(0, date - now)
  }
  const said = /retry-after:\s*([0-9.a-zµμ]+)/i.exec(response.body.toString())?.[1]
  return said === undefined ? undefined : parseDuration(said)
}

const units = new Map([
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ns', 1e-6],
])

/** Milliseconds of a duration as Go prints it (`1m2.5s`, `10.3ms`, `985.86µs`), rounded up. */
export function parseDuration(text) {
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|μs|ns))+$/.test(text)) return undefined
  let milliseconds = 0
  for (const [, number, unit = ''] of text.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    milliseconds += Number(number) * (units.get(unit) ?? 0)
  }
  return Number.isFinite(milliseconds) ? Math.ceil(milliseconds) : undefined
}
