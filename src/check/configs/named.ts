import type { Finding, Subject } from '../model.ts'
import { accountOf } from '../programs/account.ts'
import { examineProgram } from '../programs/examine.ts'
import { textAt } from '../programs/file.ts'
import { startOf } from '../programs/start.ts'
import type { Setting } from './supervisord-config.ts'

/** A program that a config names. */
export type NamedProgram = {
  readonly rule: string
  readonly severity: 'error' | 'warning'
  /** File and line. */
  readonly place: string
  readonly argv: readonly string[]
  /** As whom it is started. @default the image's user */
  readonly user?: string | undefined
  /** In which a name without a slash is looked for; undefined where that is not known. */
  readonly path: string | undefined
  /** What comes of it where it is not there. */
  readonly effect: string
}

/** Why a program that a config names will not run. */
export function* namedProgram(subject: Subject, program: NamedProgram): Iterable<Finding> {
  const { rule, severity, place, argv, user, path, effect } = program
  const name = argv[0] ?? ''
  // A relative path depends on where it is started.
  if (name.includes('/') ? !name.startsWith('/') : path === undefined) return
  const as = user === undefined ? subject : { ...subject, config: { ...subject.config, user } }
  const start = startOf(as, { argv, rule, place })
  const env = path === undefined ? start.env : new Map([...start.env, ['PATH', path]])
  for (const finding of examineProgram(subject, {
    ...start,
    env,
    by: 'kernel',
    isCertain: severity === 'error',
  })) {
    yield finding.place === place ? { ...finding, why: `${finding.why} ${effect}.` } : finding
  }
}

/** A user whom a config names, and who is not there. */
export function* namedUser(
  { fs }: Subject,
  named: {
    readonly rule: string
    readonly severity: 'error' | 'warning'
    readonly user: Setting | undefined
    readonly effect: string
  },
): Iterable<Finding> {
  const { rule, severity, user, effect } = named
  if (user === undefined || user.text === '') return
  const account = accountOf(user.text, textAt(fs, '/etc/passwd'), textAt(fs, '/etc/group'))
  if ('user' in account && account.name !== undefined) return
  yield {
    rule,
    severity,
    place: user.place,
    why: `The user \`${user.text}\` is not in the image's /etc/passwd: ${effect}.`,
    fix: `Add it: \`(pkgs.dockerTools.fakeNss.override { extraPasswdLines = [ "${user.text}:x:1000:1000::/home/${user.text}:/bin/sh" ]; })\`, with its group in \`extraGroupLines\`.`,
  }
}
