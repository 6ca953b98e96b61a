import { readFile } from 'node:fs/promises'
import * as z from 'zod'

/** What the runner says of the job and of the event that started it. */
export type Context = {
  readonly eventName: string
  /** `refs/heads/main`, `refs/tags/v1`, `refs/pull/7/merge` */
  readonly ref: string
  /** 40 hex digits. */
  readonly sha: string
  /** `owner/name` */
  readonly repository: string
  readonly defaultBranch: string | undefined
  readonly pullRequest: number | undefined
  /** Whether the pull request comes from another repository. */
  readonly fork: boolean
  readonly private: boolean | undefined
  readonly runId: string
  readonly runAttempt: string
  /** `https://github.com`, without a slash at the end. */
  readonly serverUrl: string
  readonly workspace: string
  readonly temp: string
  /** Whether the runner has a tool cache that the next job finds again: GitHub's own runners are thrown away. */
  readonly toolCache: boolean
}

const payloadSchema = z.object({
  repository: z.object({ default_branch: z.string().optional(), private: z.boolean().optional() }).optional(),
  pull_request: z
    .object({
      number: z.number(),
      head: z.object({ repo: z.object({ full_name: z.string() }).nullish() }),
    })
    .optional(),
})

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
  const repository = need('GITHUB_REPOSITORY')
  const head = payload.pull_request?.head.repo
  return Object.freeze({
    eventName: need('GITHUB_EVENT_NAME'),
    ref: need('GITHUB_REF'),
    sha: need('GITHUB_SHA'),
    repository,
    defaultBranch: payload.repository?.default_branch,
    pullRequest: payload.pull_request?.number,
    fork: payload.pull_request !== undefined && head?.full_name !== repository,
    private: payload.repository?.private,
    runId: need('GITHUB_RUN_ID'),
    runAttempt: env.GITHUB_RUN_ATTEMPT ?? '1',
    serverUrl: (env.GITHUB_SERVER_URL ?? 'https://github.com').replace(/\/+$/, ''),
    workspace: need('GITHUB_WORKSPACE'),
    temp: need('RUNNER_TEMP'),
    toolCache: Boolean(env.RUNNER_TOOL_CACHE) && env.RUNNER_ENVIRONMENT !== 'github-hosted',
  })
}
