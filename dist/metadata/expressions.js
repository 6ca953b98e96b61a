import { parseTemplate } from './template.js'

const texts = [...['branch', 'tag', 'sha', 'base_ref'], ...['is_default_branch', 'is_not_default_branch']]
const dates = ['date', 'commit_date']

/** @throws Error when it has an expression that is not known */
export function globalTemplate(text) {
  return forEvent(parseTemplate(text, { texts, dates }))
}

/** As above, with the expressions that a schedule's tag may have. */
export function dateTemplate(text) {
  return forEvent(parseTemplate(text, { texts: [], dates }))
}

function forEvent(template) {
  return event => template(meaningsOf(event))
}

/** The branch's name; undefined where the event is of no branch. */
export function branchOf({ ref }) {
  return /^refs\/heads\/(.+)$/s.exec(ref)?.[1]
}

/** The git tag's name; undefined where the event is of no tag. */
export function gitTagOf({ ref }) {
  return /^refs\/tags\/(.+)$/s.exec(ref)?.[1]
}

export function shortSha({ sha, shaLength }) {
  return sha.slice(0, shaLength)
}

function meaningsOf(event) {
  return {
    text(name) {
      switch (name) {
        case 'branch':
          return branchOf(event) ?? ''
        case 'tag':
          return gitTagOf(event) ?? ''
        case 'sha':
          return shortSha(event)
        case 'base_ref':
          return /^refs\/(tags|pull)\//.test(event.ref) ? (event.baseRef ?? '') : ''
        case 'is_default_branch':
          return String(isDefaultBranch(event))
        case 'is_not_default_branch':
          return String(!isDefaultBranch(event))
      }
    },
    date: name => (name === 'date' ? event.now : known(event.commitDate)),
  }
}

/** Some events always are for the newest commit of the default branch. */
function isDefaultBranch(event) {
  const branch = branchOf(event)
  if (branch !== undefined && branch === event.project.defaultBranch) return true
  return /create|discussion|issues|schedule/.test(event.eventName)
}

/** @throws Error when a date that follows from the commit is not known */
export function known(date) {
  if (date !== undefined) return date
  throw new Error(
    'needs the date of the commit, which git cannot tell: check the repository out before this step, with the commit that the event is about; one that belongs to another user git reads where `safe.directory` names it',
  )
}
