import type { TagEvent } from './event.ts'
import { type Meanings, parseTemplate, type Template } from './template.ts'

type Text = 'branch' | 'tag' | 'sha' | 'base_ref' | 'is_default_branch' | 'is_not_default_branch'
type When = 'date' | 'commit_date'

/** A text with the expressions that may be anywhere. */
export type GlobalTemplate = (event: TagEvent) => string

const texts: readonly Text[] = [
  ...(['branch', 'tag', 'sha', 'base_ref'] as const),
  ...(['is_default_branch', 'is_not_default_branch'] as const),
]
const dates: readonly When[] = ['date', 'commit_date']

/** @throws Error when it has an expression that is not known */
export function globalTemplate(text: string): GlobalTemplate {
  return forEvent(parseTemplate(text, { texts, dates }))
}

/** As above, with the expressions that a schedule's tag may have. */
export function dateTemplate(text: string): GlobalTemplate {
  return forEvent(parseTemplate(text, { texts: [], dates }))
}

function forEvent(template: Template<Text, When>): GlobalTemplate {
  return event => template(meaningsOf(event))
}

/** The branch's name; undefined where the event is of no branch. */
export function branchOf({ ref }: TagEvent): string | undefined {
  return /^refs\/heads\/(.+)$/s.exec(ref)?.[1]
}

/** The git tag's name; undefined where the event is of no tag. */
export function gitTagOf({ ref }: TagEvent): string | undefined {
  return /^refs\/tags\/(.+)$/s.exec(ref)?.[1]
}

export function shortSha({ sha, shaLength }: TagEvent): string {
  return sha.slice(0, shaLength)
}

function meaningsOf(event: TagEvent): Meanings<Text, When> {
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
function isDefaultBranch(event: TagEvent): boolean {
  const branch = branchOf(event)
  if (branch !== undefined && branch === event.project.defaultBranch) return true
  return /create|discussion|issues|schedule/.test(event.eventName)
}

/** @throws Error when a date that follows from the commit is not known */
export function known(date: Date | undefined): Date {
  if (date !== undefined) return date
  throw new Error(
    'needs the date of the commit, which git cannot tell: check the repository out before this step, with the commit that the event is about; one that belongs to another user git reads where `safe.directory` names it',
  )
}
