import type { Nix } from '../nix/model.ts'
import { UserError } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import { causesOf, failedBuilds } from './failed-build.ts'
import { failedEvaluation } from './failed-evaluation.ts'
import { diskFull } from './failed-machine.ts'
import type { Installable } from './installable.ts'
import type { Progress } from './progress.ts'
import type { FlakeSource } from './source.ts'

/** What is known where a run of Nix failed. */
export type Failure = {
  readonly step: 'evaluated' | 'built'
  readonly progress: Progress
  /** Exit code of Nix. */
  readonly code: number
  readonly installables: readonly Installable[]
  /** Store paths of what the installables stand for, in their order. @default not known */
  readonly drvPaths?: readonly string[]
  /** Of the flake in the workspace, if it could be read. */
  readonly source: FlakeSource | undefined
  readonly nix: Nix
  readonly workspace: string
  readonly args: readonly string[]
  /** That was evaluated for. @default this machine's */
  readonly system?: string
}

/**
 * Says why a run of Nix failed, in words that lead to what is to be done. May run Nix again to list attributes and
 * read the files of the flake; never throws because of that.
 */
export async function failureOf(failure: Failure): Promise<UserError> {
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
function nameAll({ installables: [first, ...others] }: Failure): string {
  return `for ${first?.text}${others.length > 0 ? ` and ${others.length} more` : ''}`
}
