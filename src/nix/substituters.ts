import http from 'node:http'
import https from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { codeOf, messageOf } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import type { Login } from './netrc.ts'

/** Milliseconds. */
const patience = 10_000
const beforeAgain = 500

/**
 * Leaves out the binary caches that do not answer at all. Nix would try such a one again and again, for each path
 * and for up to minutes where nothing comes back, and so hold up every build of the job.
 * Only HTTP servers that are reached directly are asked; an error of theirs is an answer.
 * @returns those to use, in their order
 */
export async function answering(
  urls: readonly string[],
  options: {
    readonly logins: readonly Login[]
    /** Whether Nix may have a login from elsewhere. Asked where a cache wants one. */
    readonly mayHaveLogin: () => Promise<boolean>
    readonly env: NodeJS.ProcessEnv
    readonly log: Log
    readonly signal: AbortSignal
    /** Milliseconds to wait for an answer. @default 10 s */
    readonly patience?: number
  },
): Promise<string[]> {
  const { env, log, logins, mayHaveLogin } = options
  const proxied = Object.entries(env).some(([name, value]) => value && /^(https?|all)_proxy$/i.test(name))
  if (proxied) return [...urls]
  const answers = await Promise.all(
    urls.map(async url => {
      if (!/^https?:/.test(url) || !URL.canParse(url)) return true
      const login = logins.find(({ host }) => host === new URL(url).hostname)
      try {
        const answer = await ask(url, login, options)
        if (answer === 401 || answer === 403) {
          if (login !== undefined)
            log.warning(
              `The binary cache ${url} answers ${answer}: it does not take the login in substituters.`,
            )
          else if (!(await mayHaveLogin()))
            log.warning(
              `The binary cache ${url} answers ${answer}: it wants a login, as https://user:password@host.`,
            )
        }
        return true
      } catch (error) {
        if (options.signal.aborted) throw error
        const why = timedOut(error) ? 'no answer' : (codeOf(error) ?? messageOf(error))
        log.warning(`The binary cache ${url} cannot be reached (${why}): this job goes on without it.`)
        return false
      }
    }),
  )
  return urls.filter((_, index) => answers[index])
}

const timedOut = (error: unknown) => error instanceof Error && error.name === 'TimeoutError'

/** There is nobody. Any other error, such as a certificate that this process does not know, is left for Nix to judge. */
const nobody = /^(ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/

async function ask(
  url: string,
  login: Login | undefined,
  options: Parameters<typeof answering>[1],
): Promise<number | undefined> {
  const asked = new URL(url)
  asked.search = ''
  asked.pathname = `${asked.pathname.replace(/\/$/, '')}/nix-cache-info`
  const auth = login === undefined ? {} : { auth: `${login.user}:${login.password}` }
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.patience ?? patience)])
  for (let last = false; ; last = true) {
    try {
      return await status(asked, { ...auth, signal })
    } catch (error) {
      signal.throwIfAborted()
      if (!nobody.test(codeOf(error) ?? '')) return undefined
      if (last) throw error
      // A name server or a balancer may have had a bad moment.
      await sleep(beforeAgain, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

/** Not by `fetch`, which refuses some ports. */
function status(url: URL, options: { auth?: string; signal: AbortSignal }): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  const { request } = url.protocol === 'https:' ? https : http
  request(url, { ...options, agent: false }, response => {
    response.destroy()
    resolve(response.statusCode)
  })
    .on('error', reject)
    .end()
  return promise
}
