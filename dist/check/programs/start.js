import { UserError } from '../../util/errors.js'
import { splitShellWords } from '../../util/shell-words.js'

import { accountIn, root } from './account.js'
import { defaultPath } from './lookup.js'

/** How the runtime starts a program of the image's: as its config says, by its user. */
export function startOf({ fs, config }, what) {
  const account = accountIn(fs, config.user)
  const env = config.env.has('PATH') ? config.env : new Map([...config.env, ['PATH', defaultPath]])
  return {
    ...what,
    env,
    // Nothing starts for a user who is not there, which is a finding of its own.
    user: 'user' in account ? account.user : root,
    directory: config.workingDir.startsWith('/') ? config.workingDir : `/${config.workingDir}`,
    isCertain: true,
    by: 'runtime',
  }
}

/**
 * What a start leads to: a program that it starts in turn.
 * @param argv ends as that of `start` does, where that is told to have the config's Cmd
 */
export function leadsTo(start, argv, changes) {
  const cmdAt = start.cmdAt === undefined ? undefined : start.cmdAt + argv.length - start.argv.length
  const isCmd = start.cmdAt !== undefined && (cmdAt ?? 1) <= 0
  return {
    ...start,
    argv,
    cmdAt,
    isFirst: false,
    ...changes,
    ...(isCmd ? { rule: 'command', place: 'Cmd' } : {}),
  }
}

/** Whether what starts a program has more rights than the user for whom it runs. */
export function isPrivileged({ isFirst = false, by }) {
  return isFirst && by !== 'execvp'
}

/** The start of what a program's arguments are from `at` on; none where there are no more. */
export function rest(start, at, changes = {}) {
  if (at >= start.argv.length) return []
  return [{ start: leadsTo(start, start.argv.slice(at), { by: 'execvp', ...changes }) }]
}

/** Words as a shell splits them; none where a quote is not closed. */
export function splitWords(text) {
  try {
    return splitShellWords(text)
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

/** A finding about a start: an error only where it is certain. */
export function finding(start, { severity = 'error', ...rest }) {
  const { rule, place, why, fix } = rest
  return {
    rule,
    severity: severity === 'error' && !start.isCertain ? 'warning' : severity,
    place,
    why,
    fix,
  }
}
