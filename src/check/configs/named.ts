import type { Finding, Subject } from '../model.ts'
import type { RuleName } from '../names.ts'
import { accountIn } from '../programs/account.ts'
import { examineProgram } from '../programs/examine.ts'
import { elsewhere } from '../programs/not-started.ts'
import { type Start, startOf } from '../programs/start.ts'
import { type Environment, withEnvironment } from './environment.ts'
import type { Setting } from './supervisord-config.ts'

/** A program that a config names. */
export type NamedProgram = {
  readonly rule: RuleName
  readonly severity: 'error' | 'warning'
  /** File and line. */
  readonly place: string
  readonly argv: readonly string[]
  /** As whom it is started. @default the image's user */
  readonly user?: string | undefined
  /** Its PATH is also where a name without a slash is looked for. */
  readonly environment: Environment
  /** What comes of it where it is not there. */
  readonly effect: string
}

/** Why a program that a config names will not run. */
export function* namedProgram(subject: Subject, program: NamedProgram): Iterable<Finding> {
  const { rule, severity, place, argv, user, environment, effect } = program
  const name = argv[0] ?? ''
  // A relative path depends on where it is started.
  if (name.includes('/') ? !name.startsWith('/') : environment.get('PATH') === undefined) return
  const as = user === undefined ? subject : { ...subject, config: { ...subject.config, user } }
  const start = withEnvironment(startOf(as, { argv, rule, place }), environment)
  const problems = examineProgram(subject, {
    ...start,
    by: 'kernel',
    isCertain: severity === 'error',
  })
  for (const finding of problems) {
    // What is wrong with the program itself is said of the program.
    if (finding.place !== place) yield finding
    else yield { ...finding, why: `${finding.why} ${effect}.`, fix: fixFor(subject, start, finding.fix) }
  }
}

/** Where the image has such a program at another place: what to write instead, into the same file. */
function fixFor({ fs }: Subject, start: Start, otherwise: string): string {
  const [name = ''] = start.argv
  if (fs.find(name) !== undefined) return otherwise
  const program = name.slice(name.lastIndexOf('/') + 1)
  const path = elsewhere(fs, program, start)
  if (path === undefined)
    return `Add the package that has \`${program}\`, and write \`\${pkg}/bin/${program}\` in place of \`${name}\`: so Nix puts it into the image, too.`
  const [, storePath, rest] = /^(\/nix\/store\/[^/]+)(\/.*)$/.exec(path) ?? []
  if (storePath === undefined) return `Write \`${path}\` in place of \`${name}\`.`
  return `Write \`\${pkg}${rest}\` in place of \`${name}\`, with the package \`${storePath.slice(44)}\`: the image has ${path}.`
}

const sysusers = ['/etc', '/run', '/usr/lib'].map(folder => `${folder}/sysusers.d`)

/** A user whom a config names, and who is not there. One whom it names again is missing once. */
export function* namedUser(
  { fs }: Subject,
  named: {
    readonly rule: RuleName
    readonly severity: 'error' | 'warning'
    readonly user: Setting | undefined
    readonly effect: string
  },
): Iterable<Finding> {
  const { rule, user, effect } = named
  if (user === undefined || user.text === '') return
  const account = accountIn(fs, user.text)
  if ('user' in account && account.name !== undefined) return
  // systemd-sysusers may add him when the container starts.
  const isAdded = sysusers.some(folder => fs.list(folder).length > 0)
  yield {
    rule,
    severity: isAdded ? 'warning' : named.severity,
    place: user.place,
    why: `The user \`${user.text}\` is not in the image's /etc/passwd: ${effect}.`,
    fix: `Add it: \`(pkgs.dockerTools.fakeNss.override { extraPasswdLines = [ "${user.text}:x:1000:1000::/home/${user.text}:/bin/sh" ]; })\`, with its group in \`extraGroupLines\`.`,
  }
}
