import type { Found } from '../../image/rootfs/model.ts'
import { UserError } from '../../util/errors.ts'
import { splitShellWords } from '../../util/shell-words.ts'
import type { Subject } from '../model.ts'
import { absolute } from '../programs/access.ts'
import { lookUp } from '../programs/lookup.ts'
import { type Start, startOf } from '../programs/start.ts'
import { startedBy } from '../programs/wrappers.ts'
import { readText } from '../text.ts'
import { afterLine, type Environment, environmentOf, withEnvironment } from './environment.ts'

/** A program that runs when a container starts, as far as that can be seen. */
export type Started = {
  /** The last part of `path`, without what Nix's wrappers add: `.X-wrapped` is `X`. */
  readonly name: string
  /** Where it is found; undefined where it is not. */
  readonly path: string | undefined
  readonly argv: readonly string[]
  readonly environment: Environment
  /** Whether it runs for certain, and nothing before it can have changed a file. */
  readonly sure: boolean
}

/** A longer line is nobody's plain command. */
const longest = 4096
/** Deeper than that nobody wraps. */
const deepest = 8
/** What starts itself again and again, in many lines, comes to an end by these. */
const mostStarts = 1000
const mostReadings = 8

/** Several rules ask. */
const known = new WeakMap<Subject, readonly Started[]>()

/** All that is seen to start: what the config names, and what that runs in turn where it says so plainly. */
export function startedPrograms(subject: Subject): readonly Started[] {
  const { entrypoint, cmd } = subject.config
  const start = startOf(subject, { argv: [...entrypoint, ...cmd], rule: 'entrypoint', place: '' })
  const started = known.get(subject) ?? follow(subject, start, deepest, { starts: 0, readings: new Map() })
  known.set(subject, started)
  return started
}

/** What has been followed so far: how many starts, and how often each script has been read. */
type Seen = { starts: number; readonly readings: Map<string, number> }

function follow(subject: Subject, start: Start, left: number, seen: Seen): Started[] {
  const { argv, isCertain: sure } = start
  const [first] = argv
  if (first === undefined || left === 0 || seen.starts >= mostStarts) return []
  seen.starts++
  const environment = environmentOf(start)
  const looked = lookUp(subject.fs, first, { ...start, path: environment.get('PATH') ?? '' })
  const found = looked.is === 'found' ? looked.found : undefined
  const name = (first.split('/').at(-1) ?? '').replace(/^\.(.+)-wrapped$/, '$1')
  // A path is told to a program as it is written.
  const path = first.includes('/') ? absolute(first, start.directory) : found?.path
  const next = found === undefined ? [] : nextOf(subject, start, found, seen)
  return [
    { name, path, argv, environment, sure },
    ...next.flatMap(one => follow(subject, one, left - 1, seen)),
  ]
}

function nextOf(subject: Subject, start: Start, found: Found, { readings }: Seen): Start[] {
  const read = readings.get(found.path) ?? 0
  if (read === mostReadings) return []
  const script = shellScript(subject, found.path)
  if (script === undefined)
    return startedBy(subject, start, found).flatMap(next => ('start' in next ? [next.start] : []))
  readings.set(found.path, read + 1)
  const how = { environment: environmentOf(start), sure: start.isCertain }
  return commandsOf(script, start.argv.slice(1), how).map(({ words, environment, sure }) => ({
    ...withEnvironment(start, environment),
    argv: words,
    isCertain: sure,
  }))
}

function shellScript({ fs }: Subject, path: string): string | undefined {
  const found = fs.find(path)
  if (found?.entry.type !== 'file' || found.entry.size > 256 * 1024) return undefined
  const head = fs.read(found, 0, 256).toString('latin1')
  return /^#!\s*(?:\S*\/env\s+(?:-S\s+)?)?\S*\b(?:ba|da|a)?sh(?:\s|$)/.test(head)
    ? readText(fs, path)
    : undefined
}

/** A command of a shell's text. */
type WrittenCommand = Pick<Started, 'environment' | 'sure'> & {
  readonly words: readonly string[]
  /** In a text, from 1; where a command goes on in more lines, the last. */
  readonly line: number
  /** Whether the shell becomes it: written with `exec`, in no block. */
  readonly last: boolean
}

/** Lines that change no file and start nothing. */
const harmless =
  /^(?:set|export|readonly|unset|cd|umask|ulimit|trap|shift|:|true|echo|printf|local)(?:\s|$)|^[A-Za-z_]\w*=[^\s(`]*$/
const control =
  /^(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|function|\{|\}|\()|\(\)\s*\{|&&|\|\||;;/

/**
 * Commands of a shell's text that are written out plainly. After what may change a file, or not be run at all, nothing
 * is sure any more.
 */
export function commandsOf(
  text: string,
  args: readonly string[],
  how: Pick<Started, 'environment' | 'sure'>,
): WrittenCommand[] {
  const commands: WrittenCommand[] = []
  let { environment, sure } = how
  let begun = ''
  let isInBlock = false
  for (const [index, part] of text.split('\n').entries()) {
    if (begun === '') isInBlock = /^\s/.test(part)
    const end = part.trim()
    if (/(?:^|[^\\])\\$/.test(end)) {
      begun += `${end.slice(0, -1)} `
      continue
    }
    const line = begun + end
    begun = ''
    if (line === '' || line.startsWith('#')) continue
    environment = afterLine(environment, line)
    if (harmless.test(line) && !/[;|`]|\$\(|&&/.test(line)) {
      sure &&= !writes(line)
      continue
    }
    if (control.test(line) || /^[A-Za-z_]\w*=/.test(line)) {
      sure = false
      continue
    }
    const words = line.length > longest ? undefined : plainWords(line, args)
    // `exec` with redirects alone is for the lines that follow.
    if (words?.exec === true && words.argv.length === 0) {
      sure &&= !writes(line)
      continue
    }
    const last = words?.exec === true && !isInBlock
    if (words !== undefined) commands.push({ words: words.argv, line: index + 1, last, environment, sure })
    // What follows is not reached, or is no command but a text.
    if ((last && sure) || line.includes('<<')) break
    sure = false
  }
  return commands
}

/** The words of a line that is one command; undefined where the shell would make something of it that is not written. */
function plainWords(line: string, args: readonly string[]): { argv: string[]; exec: boolean } | undefined {
  const simple = withoutRedirects(line).replace(/(?<!\s)\s+&$/, '')
  const marked = simple.replace(/"\$@"|"\$\{@\}"|\$@/g, '\u0001')
  if (/[$`*?~|;&<>()]/.test(marked)) return undefined
  let words: string[]
  try {
    words = splitShellWords(marked)
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
  const exec = words[0] === 'exec'
  const rest = exec ? words.slice(words[1] === '-a' ? 3 : 1) : words
  return { argv: rest.flatMap(word => (word === '\u0001' ? args : [word])), exec }
}

/** A line without the redirects at its end, which decide nothing about what runs. */
function withoutRedirects(line: string): string {
  // Spaces stay, since a quoted word may have them.
  const parts = line.split(/(\s+)/)
  for (;;) {
    const [before = '', , last = ''] = parts.slice(-3)
    if (parts.length < 3) return parts.join('')
    if (/^\d?(?:>>?&?|<{1,3}-?)[^<>&()]+$/.test(last)) parts.splice(-2)
    else if (/^\d?(?:>>?|<{1,3})$/.test(before) && parts.length > 4) parts.splice(-4)
    else return parts.join('')
  }
}

/** Whether a line may change a file. */
function writes(line: string): boolean {
  return line.replaceAll(/>>?\s*(?:&[\d-]|\/dev\/(?:null|stdout|stderr))(?=\s|$)/g, '').includes('>')
}

/** The value of an option as getopt finds it: `-c X`, `-cX`, `-nc X`, `--configuration X`, `--configuration=X`. */
export function optionOf(
  argv: readonly string[],
  option: { readonly short: string; readonly long?: string; readonly shortWithValue: string },
): string | undefined {
  for (let at = 1; at < argv.length; at++) {
    const arg = argv[at] ?? ''
    const [name, value] = arg.split(/=(.*)/s)
    if (option.long !== undefined && name === `--${option.long}`) return value ?? argv[at + 1]
    if (!/^-[^-]/.test(arg)) continue
    const letter = [...arg].findIndex((letter, index) => index > 0 && option.shortWithValue.includes(letter))
    if (letter === -1) continue
    const own = arg.slice(letter + 1) || argv[++at]
    if (arg[letter] === option.short) return own
  }
  return undefined
}
