import { splitWords } from './start.ts'

/** A command that a shell runs. */
export type ShellCommand = {
  readonly argv: readonly string[]
  /** Whether the text surely runs it, and fails where it cannot. */
  readonly isCertain: boolean
}

/** What shells know themselves. What only some of them know is here too: then it is not looked for. */
const own = new Set(
  `. : [ [[ alias bg bind break builtin caller case cd chdir command compgen complete compopt continue coproc declare dirs disown do
  done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in jobs
  kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt source suspend
  test then time times trap true type typeset ulimit umask unalias unset until wait while`.split(/\s+/),
)

/** Of a text that is looked at. */
const longest = 8 * 1024

const assignment = /^[A-Za-z_]\w*\+?=/
/** What may stand for anything, in the word that names a program. */
const clever = /[$`*?[\]{}~\\()!]/

/**
 * The first command of a shell's text, where that is plainly one program; undefined for all that would take a shell to
 * understand.
 */
export function firstCommand(text: string): ShellCommand | undefined {
  if (text.length > longest) return undefined
  const plain = text
    .trim()
    // Where its output goes decides nothing.
    .replaceAll(/\s*\d?>>?\s*(?:&\d|\/dev\/null)(?=\s|$)/g, '')
    // Health checks end so: what fails is the command before.
    .replace(/\s*\|\|\s*(?:exit|return)\s+[1-9]\d*\s*;?$/, '')
    .replace(/\s*;$/, '')
  // What follows `||` is there for the case that it fails.
  if (/^[^;&|\n]*\|\|/.test(plain)) return undefined
  const [command = ''] = plain.split(/&&|[;|&\n]/)
  if (/[`<>()#]/.test(command)) return undefined
  const words = splitWords(command)
  while (assignment.test(words[0] ?? '')) if (/^(?:PATH|LD_)/.test(words.shift() ?? '')) return undefined
  if (words[0] === 'exec') words.shift()
  const [name = '-'] = words
  if (own.has(name) || !isPlain(name)) return undefined
  const isChain = !/[;|\n]|(?<!&)&(?!&)/.test(plain)
  return { argv: upToClever(words), isCertain: isChain }
}

/** Lines that cannot keep a script from going on to its last one, as nixpkgs' makeWrapper writes them. */
const value = String.raw`(?:[^\s;&|()\`'"$]|'[^']*'|"[^"\`(]*"|\$\{[^}]*\}|\$(?![({]))*`
const harmless = new RegExp(
  [
    String.raw`^(?:#.*|(?:export\s+)?[A-Za-z_]\w*\+?=${value}|(?:export|unset)(?:\s+[A-Za-z_]\w*)+`,
    String.raw`declare -a extraFlagsArray=\(\)|set [-+][a-z]+(?: pipefail)?|)\s*$`,
  ].join('|'),
)

/**
 * What a script becomes at its end: the program of its last line, where that is a plain `exec`.
 * @param args of the script
 */
export function lastExec(script: string, args: readonly string[]): ShellCommand | undefined {
  const lines = script.trimEnd().split('\n')
  const last = lines.at(-1) ?? ''
  const before = lines.slice(1, -1)
  const [exec, ...rest] = splitWords(last)
  if (lines.length < 2 || last.length > longest || exec !== 'exec' || /[;&|<>]/.test(last)) return undefined
  const words = rest[0] === '-a' ? rest.slice(2) : rest
  const isCertain = before.every(line => harmless.test(line))
  const [name = '-'] = words
  if (name === '$@') {
    // It may have made other arguments of them, as for a first one that is an option.
    const isChanged = before.some(line => /\b(?:set\s+--|shift\b)/.test(line))
    const [program] = args
    return words.length > 1 || isChanged || program === undefined || program.startsWith('-')
      ? undefined
      : { argv: args, isCertain }
  }
  if (!isPlain(name)) return undefined
  return { argv: upToClever(words.flatMap(word => (word === '$@' ? args : [word]))), isCertain }
}

/** Names that a script gives values: which, takes a shell to know. What it reads may do so, too. */
export function assigned(script: string): string[] {
  const names = [...script.matchAll(/\b(?<name>[A-Za-z_]\w*)\+?=/g)].map(({ groups }) => groups?.name ?? '')
  const reads = /(?:^|[\s;&|])(?:\.|source|eval)\s/m.test(script)
  return reads ? [...names, 'PATH', 'LD_LIBRARY_PATH', 'LD_PRELOAD'] : names
}

function isPlain(name: string): boolean {
  return name !== '' && !name.startsWith('-') && !clever.test(name)
}

/** What follows a word that may stand for several stands nobody knows where. */
function upToClever(words: readonly string[]): readonly string[] {
  const at = words.findIndex(word => clever.test(word))
  return at === -1 ? words : words.slice(0, at)
}
