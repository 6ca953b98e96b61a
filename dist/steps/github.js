import { retrier } from '../registry/retry.js'
import { httpSender } from '../registry/transport.js'

import { codeOf, messageOf, UserError } from '../util/errors.js'

import { realSleep } from '../util/sleep.js'

/**
 * Sends requests to GitHub, again where they fail in a passing way. What was done and not answered is then done twice.
 * @throws UserError when there is no answer in the end
 */
export function githubSender(options) {
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
