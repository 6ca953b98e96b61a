import { readFile } from 'node:fs/promises'
import * as z from 'zod'

/** What the runner says of the job and of the event that started it. */
export type Context = {
  readonly eventName: string
  /**
   * `refs/heads/main`, `refs/tags/v1`, `refs/pull/7/merge`. Also for `pull_request_target`, which the runner gives the
   * base branch's ref: the image of a pull request must not get that branch's tags.
   */
  readonly ref: string
  /** 40 hex digits. */
  readonly sha: string
  /** `owner/name` */
  readonly repository: string
  readonly runId: string
  readonly runAttempt: string
  /** `https://github.com`, without a slash at the end. */
  readonly serverUrl: string
  readonly workspace: string
  readonly temp: string
  /** Whether the runner has a tool cache that the next job finds again: GitHub's own runners are thrown away. */
  readonly toolCache: boolean
}

const payloadSchema = z.object({ pull_request: z.object({ number: z.number() }).optional() })

/**
 * Reads the default variables and the event's payload.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/variables
 * @throws Error when a variable that every runner sets is missing.
 */
export async function readContext(env: NodeJS.ProcessEnv): Promise<Context> {
  const need = (name: string): string => {
    const value = env[name]
    if (!value) throw new Error(`${name} is not set: this program runs as a step of a GitHub Actions job`)
    return value
  }
  const payload = payloadSchema.parse(
    env.GITHUB_EVENT_PATH ? JSON.parse(await readFile(env.GITHUB_EVENT_PATH, 'utf8')) : {},
  )
  const eventName = need('GITHUB_EVENT_NAME')
  const pullRequest = eventName === 'pull_request_target' ? payload.pull_request?.number : undefined
  return Object.freeze({
    eventName,
    ref: pullRequest === undefined ? need('GITHUB_REF') : `refs/pull/${pullRequest}/merge`,
    sha: need('GITHUB_SHA'),
    repository: need('GITHUB_REPOSITORY'),
    runId: need('GITHUB_RUN_ID'),
    runAttempt: env.GITHUB_RUN_ATTEMPT ?? '1',
    serverUrl: (env.GITHUB_SERVER_URL ?? 'https://github.com').replace(/\/+$/, ''),
    workspace: need('GITHUB_WORKSPACE'),
    temp: need('RUNNER_TEMP'),
    toolCache: Boolean(env.RUNNER_TOOL_CACHE) && env.RUNNER_ENVIRONMENT !== 'github-hosted',
  })
}
