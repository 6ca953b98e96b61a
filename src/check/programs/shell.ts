import type { RootFs } from '../../image/rootfs/model.ts'
import type { Subject } from '../model.ts'
import { isMounted } from '../mounts.ts'
import { absolute, basename, follow, mayRead } from './access.ts'
import { assigned, firstCommand, lastExec, type ShellCommand } from './shell-text.ts'
import { finding, leadsTo, type Next, rest, type Start } from './start.ts'

/** Options of shells without a value, of which a script or a text may follow. */
const shellOption = /^[-+][A-Za-z]+$|^--(?:norc|noprofile|posix|login)$/

/** What a shell starts: of a text after `-c`, or at the end of a script. */
export function shell(subject: Subject, start: Start): Next[] {
  let isText = false
  let isLogin = false
  let at = 1
  for (; shellOption.test(start.argv[at] ?? ''); at++) {
    const option = start.argv[at] ?? ''
    if (/^-[a-zA-Z]*s/.test(option)) return []
    isText ||= /^-[a-zA-Z]*c/.test(option)
    isLogin ||= /^-[a-zA-Z]*l|^--login/.test(option)
    if (/^[-+][a-zA-Z]*o$/.test(option)) at++
  }
  if (start.argv[at] === '--') at++
  const operand = start.argv[at]
  if (operand === undefined || operand.startsWith('-')) return []
  const isCmd = start.cmdAt !== undefined && at >= start.cmdAt
  const from: Start = isCmd ? { ...start, rule: 'command', place: 'Cmd' } : start
  if (!isText) return script(subject, from, operand, start.argv.slice(at + 1))
  // Its profile may set everything.
  const unknown =
    isLogin || start.env.has('BASH_ENV')
      ? new Set([...(start.unknown ?? []), 'PATH', 'LD_LIBRARY_PATH', 'LD_PRELOAD'])
      : start.unknown
  return command(from, firstCommand(operand), unknown)
}

function command(
  start: Start,
  command: ShellCommand | undefined,
  unknown: ReadonlySet<string> | undefined,
): Next[] {
  if (command === undefined) return []
  const isCertain = start.isCertain && command.isCertain
  const next = leadsTo({ ...start, cmdAt: undefined }, command.argv, { by: 'execvp', isCertain })
  return [{ start: unknown === undefined ? next : { ...next, unknown } }]
}

const longestScript = 256 * 1024

/** A script that a shell is to run. */
function script(subject: Subject, start: Start, name: string, args: readonly string[]): Next[] {
  // Without a slash shells look in several places.
  if (!name.includes('/')) return []
  const { fs } = subject
  const { rule, place, user } = start
  const followed = follow(fs, absolute(name, start.directory), user)
  if (followed.is === 'mounted') return []
  const isThere = followed.is === 'found' && followed.found.entry.type === 'file'
  if (!isThere || !mayRead(followed.found.entry, user)) {
    const [why, fix] = isThere
      ? ['may not be read', 'Make it readable where it is made, or set another `config.User`.']
      : [
          'is not in the image',
          `Put it into the image, or name it by its store path: \`"\${./${basename(name)}}"\`.`,
        ]
    const said = isThere ? 'Permission denied' : 'No such file'
    const text = `The script ${name} ${why}: \`${basename(start.argv[0] ?? '')}: cannot open ${name}: ${said}\`.`
    // What is mounted there may have it.
    const severity = followed.is === 'failed' && isMounted(subject, followed.at) ? 'warning' : 'error'
    return [{ finding: finding(start, { rule, place, severity, why: text, fix }) }]
  }
  if (followed.found.entry.size > longestScript) return []
  const text = fs.read(followed.found).toString('utf8')
  const absent = absentPaths(fs, text).map(path => ({
    finding: finding(start, {
      rule: 'script',
      severity: 'warning',
      place: followed.found.path,
      why: `${start.place} starts it, and it names ${path}, which is not in the image: what it wants there will fail.`,
      fix: 'Let the script name the package as Nix knows it, by antiquotation: not a path that was copied from somewhere, and no `unsafeDiscardStringContext`.',
    }),
  }))
  const next = lastExec(text, args)
  if (next === undefined) return absent
  const unknown = new Set([...(start.unknown ?? []), ...assigned(text)])
  // An end that is what the script was given is still the config's Cmd.
  const isGiven = next.argv === args
  const told = isGiven
    ? rest(start, start.argv.length - args.length, {
        isCertain: start.isCertain && next.isCertain,
        unknown,
      })
    : command({ ...start, rule: 'script', place: followed.found.path }, next, unknown)
  return [...absent, ...told]
}

const storePath = /\/nix\/store\/[0-9a-df-np-sv-z]{32}-[\w+.?=-]*[\w+?=-]/g
const mostAbsent = 5

function absentPaths(fs: RootFs, text: string): string[] {
  const paths = new Set([...text.matchAll(storePath)].map(([path]) => path))
  return [...paths].filter(path => fs.look(path) === undefined).slice(0, mostAbsent)
}
