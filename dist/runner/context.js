import { readFile } from 'node:fs/promises'
import * as z from '../vendor/zod.js'

/** What is null, not there, or of another kind where a payload is not as GitHub's own. */
const maybe = z.string().optional().catch(undefined)

const payloadSchema = z.object({
  pull_request: z
    .object({
      number: z.number(),
      base: z.object({ ref: z.string() }).optional().catch(undefined),
      // The repository is null when the fork was deleted.
      head: z
        .object({ repo: z.object({ full_name: z.string() }).optional().catch(undefined), sha: maybe })
        .optional()
        .catch(undefined),
    })
    .nullish()
    .transform(value => value ?? undefined),
  base_ref: maybe,
  merge_group: z.object({ base_ref: z.string() }).optional().catch(undefined),
  repository: z
    .object({
      ...{ name: maybe, description: maybe, html_url: maybe, default_branch: maybe, visibility: maybe },
      license: z.object({ spdx_id: maybe }).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
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
    (env.GITHUB_EVENT_PATH ? JSON.parse(await readFile(env.GITHUB_EVENT_PATH, 'utf8')) : undefined) ?? {},
  )
  const eventName = need('GITHUB_EVENT_NAME')
  const pullRequest = eventName === 'pull_request_target' ? payload.pull_request?.number : undefined
  const branches = [payload.pull_request?.base?.ref, payload.merge_group?.base_ref]
  const bases = [...branches, payload.repository?.default_branch].flatMap(branch =>
    branch === undefined ? [] : `refs/heads/${branch.replace(/^refs\/heads\//, '')}`,
  )
  const { repository = {} } = payload
  const isForeign = () =>
    eventName === 'pull_request_target' ||
    payload.pull_request?.head?.repo?.full_name !== need('GITHUB_REPOSITORY')
  return Object.freeze({
    eventName,
    ref: pullRequest === undefined ? need('GITHUB_REF') : `refs/pull/${pullRequest}/merge`,
    cacheRef: need('GITHUB_REF'),
    cacheBases: Object.freeze([...new Set(bases)]),
    foreign: payload.pull_request !== undefined && isForeign(),
    sha: need('GITHUB_SHA'),
    headSha: payload.pull_request?.head?.sha,
    baseRef: (payload.pull_request?.base?.ref ?? payload.base_ref)?.replace(/^refs\/heads\//, ''),
    project: Object.freeze({
      name: repository.name,
      description: repository.description,
      url: repository.html_url,
      defaultBranch: repository.default_branch,
      visibility: repository.visibility,
      license: repository.license?.spdx_id,
    }),
    repository: need('GITHUB_REPOSITORY'),
    runId: need('GITHUB_RUN_ID'),
    runAttempt: env.GITHUB_RUN_ATTEMPT ?? '1',
    serverUrl: (env.GITHUB_SERVER_URL ?? 'https://github.com').replace(/\/+$/, ''),
    apiUrl: (env.GITHUB_API_URL ?? 'https://api.github.com').replace(/\/+$/, ''),
    workspace: need('GITHUB_WORKSPACE'),
    temp: need('RUNNER_TEMP'),
    hosted: env.RUNNER_ENVIRONMENT === 'github-hosted',
    toolCache: Boolean(env.RUNNER_TOOL_CACHE) && env.RUNNER_ENVIRONMENT !== 'github-hosted',
  })
}
