import { UserError } from '../util/errors.ts'

/** The facts of an event that tags, labels and annotations are made from. */
export type TagEvent = {
  readonly eventName: string
  /** `refs/heads/main`, `refs/tags/v1`, `refs/pull/7/merge` */
  readonly ref: string
  /** 40 hex digits. */
  readonly sha: string
  /** How many of them are enough for people. */
  readonly shaLength: number
  /** Branch that a pull request is for, or that a pushed tag is on, as far as the payload says so. */
  readonly baseRef: string | undefined
  readonly project: Project
  readonly now: Date
  /** Of the commit; undefined where nobody knows it, or nobody asked. */
  readonly commitDate: Date | undefined
  /** When the image counts as made; undefined as above. */
  readonly created: Date | undefined
}

/** What the payload says of the repository; nothing outside of GitHub. */
export type Project = {
  readonly name?: string | undefined
  readonly description?: string | undefined
  readonly url?: string | undefined
  readonly defaultBranch?: string | undefined
  /** SPDX identifier. */
  readonly license?: string | undefined
}

type Source = Pick<TagEvent, 'eventName' | 'ref' | 'sha' | 'baseRef' | 'project'> & {
  /** Newest commit of a pull request's branch. */
  readonly headSha: string | undefined
}

/**
 * An event, as the variables that docker/metadata-action knows want it to be seen.
 * @param env of the job
 * @throws UserError when one of them is not usable
 */
export function tagEvent(source: Source, env: NodeJS.ProcessEnv, now: Date): TagEvent {
  const { eventName, ref, baseRef, project, headSha } = source
  const asked = /^true$/i.test(env.DOCKER_METADATA_PR_HEAD_SHA ?? '')
  // GITHUB_SHA is the base branch's then: a stranger's image must not get the tag of that commit.
  const ofHead = eventName === 'pull_request_target' || (asked && eventName.startsWith('pull_request'))
  return Object.freeze({
    ...{ eventName, ref, baseRef, project, now },
    sha: (ofHead ? headSha : undefined) ?? source.sha,
    shaLength: wholeNumber('DOCKER_METADATA_SHORT_SHA_LENGTH', env) ?? 7,
    commitDate: undefined,
    created: epoch(wholeNumber('SOURCE_DATE_EPOCH', env)),
  })
}

/** The event with the date of its commit; `SOURCE_DATE_EPOCH` counts before it. */
export function withCommitDate(event: TagEvent, commitDate: Date | undefined): TagEvent {
  return Object.freeze({ ...event, commitDate, created: event.created ?? commitDate })
}

/** Whether some of the texts may need the date of the commit. */
export function needsCommitDate(texts: readonly string[]): boolean {
  return texts.some(text => /commit_date|image\.created/.test(text))
}

function wholeNumber(name: string, env: NodeJS.ProcessEnv): number | undefined {
  const text = env[name]?.trim()
  if (!text) return undefined
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new UserError(`${name} is '${text}', which is not a whole number.`, {
    advice: 'Correct the `env:` block of the workflow, or leave the variable out.',
  })
}

function epoch(seconds: number | undefined): Date | undefined {
  return seconds === undefined ? undefined : new Date(seconds * 1000)
}
