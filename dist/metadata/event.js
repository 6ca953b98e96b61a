import { UserError } from '../util/errors.js'

/**
 * An event, as the variables that docker/metadata-action knows want it to be seen.
 * @param env of the job
 * @throws UserError when one of them is not usable
 */
export function tagEvent(source, env, now) {
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
export function withCommitDate(event, commitDate) {
  return Object.freeze({ ...event, commitDate, created: event.created ?? commitDate })
}

/** Whether some of the texts may need the date of the commit. */
export function needsCommitDate(texts) {
  return texts.some(text => /commit_date|image\.created/.test(text))
}

function wholeNumber(name, env) {
  const text = env[name]?.trim()
  if (!text) return undefined
  if (/^\d{1,12}$/.test(text)) return Number(text)
  throw new UserError(`${name} is '${text}', which is not a whole number.`, {
    advice: 'Correct the `env:` block of the workflow, or leave the variable out.',
  })
}

function epoch(seconds) {
  return seconds === undefined ? undefined : new Date(seconds * 1000)
}
