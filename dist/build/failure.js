import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'
import { causesOf, failedBuilds } from './failed-build.js'
import { failedEvaluation } from './failed-evaluation.js'
import { diskFull } from './failed-machine.js'

/**
 * Says why a run of Nix failed, in words that lead to what is to be done. May run Nix again to list attributes and
 * read the files of the flake; never throws because of that.
 */
export async function failureOf(failure) {
  const { progress, code } = failure
  const causes = causesOf(progress.errors)
  return (
    (await diskFull(failure)) ??
    (causes.length > 0 ? await failedBuilds(causes, failure) : undefined) ??
    (await failedEvaluation(failure)) ??
    new UserError(
      `Nix ended with exit code ${code} ${nameAll(failure)}${progress.lines.length > 0 ? ':' : ' and said nothing.'}`,
      progress.lines.length > 0 ? { detail: harmless(progress.lines.join('\n')) } : {},
    )
  )
}

/** `for .#image`, `for .#image and 2 more`. */
function nameAll({ installables: [first, ...others] }) {
  return `for ${first?.text}${others.length > 0 ? ` and ${others.length} more` : ''}`
}
