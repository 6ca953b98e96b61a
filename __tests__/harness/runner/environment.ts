import { arch } from 'node:os'
import { join } from 'node:path/posix'
import type { Event } from './events.ts'
import type { StepFiles } from './step.ts'

type Variables = Readonly<Record<string, string>>

export type StepEnvironment = {
  /** What a step would have without the runner's own variables. */
  readonly before: Variables
  /** Folders that earlier steps put before PATH. */
  readonly path: readonly string[]
  /** Inputs, state and services; empty for a `run:` step. */
  readonly ofAction: Variables
  readonly event: Event
  readonly step: string
  readonly files: StepFiles
  readonly job: {
    readonly id: string | undefined
    readonly runId: string | undefined
    readonly runAttempt: number | undefined
    readonly debug: boolean
    readonly trackingId: string
    readonly selfHosted: boolean
  }
  readonly folders: Readonly<Record<'workspace' | 'temp' | 'toolCache' | 'eventPath', string>>
}

/**
 * The whole environment of a step. What the runner sets cannot be replaced by a step.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/variables
 */
export function stepEnvironment(from: StepEnvironment): Record<string, string> {
  const { before, path, ofAction, event, files, job, folders } = from
  return {
    ...before,
    PATH: [...path, before.PATH ?? ''].join(':'),
    CI: 'true',
    ...variablesOfEvent(event),
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: from.step,
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_JOB: job.id ?? 'image',
    GITHUB_RETENTION_DAYS: '90',
    GITHUB_RUN_ATTEMPT: String(job.runAttempt ?? 1),
    GITHUB_RUN_ID: job.runId ?? '19000000001',
    GITHUB_RUN_NUMBER: '42',
    GITHUB_WORKSPACE: folders.workspace,
    GITHUB_EVENT_PATH: folders.eventPath,
    GITHUB_ENV: files.env,
    GITHUB_PATH: files.path,
    GITHUB_OUTPUT: files.output,
    GITHUB_STATE: files.state,
    GITHUB_STEP_SUMMARY: files.summary,
    RUNNER_OS: 'Linux',
    RUNNER_ARCH: arch() === 'arm64' ? 'ARM64' : 'X64',
    RUNNER_NAME: 'GitHub Actions 7',
    RUNNER_ENVIRONMENT: job.selfHosted ? 'self-hosted' : 'github-hosted',
    RUNNER_TEMP: folders.temp,
    RUNNER_TOOL_CACHE: folders.toolCache,
    RUNNER_WORKSPACE: join(folders.workspace, '..'),
    RUNNER_TRACKING_ID: job.trackingId,
    ...(job.debug ? { RUNNER_DEBUG: '1' } : {}),
    ...ofAction,
  }
}

function variablesOfEvent(event: Event): Record<string, string> {
  return {
    GITHUB_ACTOR: event.actor,
    GITHUB_ACTOR_ID: '583231',
    GITHUB_TRIGGERING_ACTOR: event.actor,
    GITHUB_BASE_REF: event.baseRef,
    GITHUB_HEAD_REF: event.headRef,
    GITHUB_EVENT_NAME: event.name,
    GITHUB_REF: event.ref,
    GITHUB_REF_NAME: event.ref.replace(/^refs\/(heads|tags|pull)\//, ''),
    GITHUB_REF_PROTECTED: 'false',
    GITHUB_REF_TYPE: event.ref.startsWith('refs/tags/') ? 'tag' : 'branch',
    GITHUB_REPOSITORY: event.repository,
    GITHUB_REPOSITORY_ID: '700000001',
    GITHUB_REPOSITORY_OWNER: event.repository.split('/')[0] ?? '',
    GITHUB_REPOSITORY_OWNER_ID: '583231',
    GITHUB_SHA: event.sha,
    GITHUB_WORKFLOW: 'image',
    GITHUB_WORKFLOW_REF: `${event.repository}/.github/workflows/image.yml@${event.ref}`,
    GITHUB_WORKFLOW_SHA: event.sha,
  }
}
