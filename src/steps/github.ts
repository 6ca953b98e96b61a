import { retrier } from '../registry/retry.ts'
import { httpSender } from '../registry/transport.ts'
import type { Send } from '../runner/github-api.ts'
import { codeOf, messageOf, UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import { realSleep, type Sleep } from '../util/sleep.ts'

/**
 * Sends requests to GitHub, again where they fail in a passing way. What was done and not answered is then done twice.
 * @throws UserError when there is no answer in the end
 */
export function githubSender(options: {
  readonly env: NodeJS.ProcessEnv
  readonly log: Log
  readonly sleep?: Sleep
}): Send {
  const { env, log, sleep = realSleep } = options
  const send = httpSender(env)
  const retry = retrier({ of: 'GitHub', sleep, now: Date.now, log })
  return async request => {
    const { signal, url } = request
    try {
      return await retry(() => send(request), { signal })
    } catch (error) {
      if (signal.aborted || error instanceof UserError || codeOf(error) === undefined) throw error
      throw new UserError(`${url.host} does not answer: ${messageOf(error)}.`, {
        advice: 'Run the job again; https://www.githubstatus.com tells of disturbances.',
        cause: error,
      })
    }
  }
}
