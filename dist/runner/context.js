import { readFile } from 'node:fs/promises'
import * as z from '../vendor/zod.js'

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
export async function readContext(env) {
  const need = name => {
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
