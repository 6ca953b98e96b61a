import type { Found } from '../../image/rootfs/model.ts'
import { UserError } from '../../util/errors.ts'
import { splitShellWords } from '../../util/shell-words.ts'
import type { Finding, Subject } from '../model.ts'
import type { RuleName } from '../names.ts'
import { accountIn, root, type User } from './account.ts'
import { defaultPath } from './lookup.ts'

/** How a program is started. */
export type Start = {
  /** Program and arguments. */
  readonly argv: readonly string[]
  /** Its environment: PATH is where it is looked for. */
  readonly env: ReadonlyMap<string, string>
  /** Names of the environment that something gives values which are not known. */
  readonly unknown?: ReadonlySet<string>
  readonly user: User
  /** The working directory; absolute. */
  readonly directory: string
  /** What a program that is not there, or cannot be run, is a finding of. */
  readonly rule: RuleName
  /** Where the program is named. */
  readonly place: string
  /** Whether it is certain that it is started, just so. Where not, nothing is worse than a warning. */
  readonly isCertain: boolean
  /**
   * Who starts it: a container runtime, the kernel for a script, or a program by its C library's execvp, which gives
   * what is neither a program nor has a `#!` to /bin/sh.
   */
  readonly by: 'runtime' | 'kernel' | 'execvp'
  /**
   * Whether the runtime itself starts it. Docker's has more rights than the container's user until the program runs, so
   * that what is closed to the user starts all the same.
   */
  readonly isFirst?: boolean
  /** The busybox that starts it, which may have programs of its own that are in no directory. */
  readonly busybox?: Found | undefined
  /** Which of the arguments are the config's Cmd: those from there on. */
  readonly cmdAt?: number | undefined
}

/** How the runtime starts a program of the image's: as its config says, by its user. */
export function startOf(
  { fs, config }: Subject,
  what: { readonly argv: readonly string[]; readonly rule: RuleName; readonly place: string },
): Start {
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
export function leadsTo(start: Start, argv: readonly string[], changes: Partial<Start>): Start {
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
export function isPrivileged({ isFirst = false, by }: Start): boolean {
  return isFirst && by !== 'execvp'
}

/** What a program that was found does with its arguments, where it is one that starts another. */
export type Next = { readonly start: Start } | { readonly finding: Finding }

/** The start of what a program's arguments are from `at` on; none where there are no more. */
export function rest(start: Start, at: number, changes: Partial<Start> = {}): Next[] {
  if (at >= start.argv.length) return []
  return [{ start: leadsTo(start, start.argv.slice(at), { by: 'execvp', ...changes }) }]
}

/** Words as a shell splits them; none where a quote is not closed. */
export function splitWords(text: string): string[] {
  try {
    return splitShellWords(text)
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

/** A finding about a start: an error only where it is certain. */
export function finding(
  start: Start,
  {
    severity = 'error',
    ...rest
  }: Pick<Finding, 'rule' | 'place' | 'why' | 'fix'> & { severity?: Finding['severity'] },
): Finding {
  const { rule, place, why, fix } = rest
  return {
    rule,
    severity: severity === 'error' && !start.isCertain ? 'warning' : severity,
    place,
    why,
    fix,
  }
}
