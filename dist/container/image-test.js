import { messageOf, UserError } from '../util/errors.js'
import { splitShellWords } from '../util/shell-words.js'

const defaultTimeout = 300
/** A job on GitHub's own runners ends after 6 hours. */
const longestTimeout = 6 * 60 * 60

/**
 * Reads the input `test`: commands, one a line, or a `start:` line and `wait:` and `run:` lines below it; with either
 * a `timeout:`. Empty lines and those that begin with `#` are left out.
 * @returns undefined where nothing is to be tested
 * @throws UserError that lists every problem, one a line
 */
export function parseImageTest(text) {
  const problems = []
  const commands = []
  const steps = []
  const keys = new Set()
  let started
  let timeout = defaultTimeout

  const commandIn = (text, line = text) => {
    const [assignment] = assigned.exec(text) ?? []
    if (assignment !== undefined)
      throw new UserError(`no shell reads this, and ${assignment} is for one: write env ${text}`)
    const [program = '', ...more] = wordsOf(text)
    if (program !== '') return [{ line, argv: [program, ...more] }]
    problems.push(`'${line}' names no program`)
    return []
  }
  const waitIn = (text, line) => {
    const port = Number(/^port\s+(\d{1,5})$/.exec(text)?.[1])
    if (port > 0 && port < 65536) return [{ kind: 'port', line, port }]
    const awaited = /^log\s+(.+)$/.exec(text)?.[1]
    if (awaited !== undefined) return [{ kind: 'log', line, text: textOf(awaited) }]
    problems.push(`'${line}' is neither 'wait: port' with a number up to 65535 nor 'wait: log' with a text`)
    return []
  }
  const secondsIn = (text, line) => {
    const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0
    if (seconds < 1 || seconds > longestTimeout)
      problems.push(`'${line}' is not a number of seconds from 1 to ${longestTimeout}`)
    return seconds
  }
  const read = line => {
    const [, key, rest = ''] = /^([A-Za-z]+):(.*)$/.exec(line) ?? []
    const value = rest.trim()
    if (['start', 'timeout'].includes(key ?? '') && keys.has(key))
      problems.push(`there are two lines ${key}:`)
    keys.add(key)
    if (key === undefined) commands.push(...commandIn(line))
    else if (key === 'timeout') timeout = secondsIn(value, line)
    else if (key === 'start') started = { line, words: wordsOf(value) }
    else if (key !== 'wait' && key !== 'run')
      problems.push(`'${key}:' is none of start:, wait:, run:, timeout: (quote a program of this name)`)
    else if (!keys.has('start')) problems.push(`'${line}' needs a line start: above it`)
    else steps.push(...(key === 'wait' ? waitIn(value, line) : commandIn(value, line).map(toStep)))
  }

  for (const line of text.split(/\r?\n/).map(line => line.trim())) {
    if (line === '' || line.startsWith('#')) continue
    try {
      read(line)
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problems.push(`'${line}': ${messageOf(error)}`)
    }
  }
  if (started !== undefined)
    for (const { line } of commands)
      problems.push(`'${line}' stands beside start: (in the started container it is 'run: ${line}')`)
  if (started !== undefined && !keys.has('wait') && !keys.has('run'))
    problems.push('nothing is waited for or run after start:')
  if (keys.has('timeout') && keys.size === 1) problems.push('there is a timeout, and nothing to run')
  if (problems.length > 0) throw new UserError(problems.join('\n'))

  if (started !== undefined) {
    const lines = [started.line, ...steps.map(({ line }) => line)]
    return { kind: 'service', timeout, lines, arguments: started.words, steps }
  }
  if (commands.length === 0) return undefined
  return { kind: 'commands', timeout, lines: commands.map(({ line }) => line), commands }
}

/**
 * What is waited for in the log: the text as it stands, or all of it in quotes, which are then as those of a command.
 * @throws UserError where quotes begin it and do not hold all of it, since either could be meant
 */
function textOf(awaited) {
  if (!/^['"]/.test(awaited)) return awaited
  const [text = ''] = inQuotes.test(awaited) ? splitShellWords(awaited) : []
  if (text === '') throw new UserError('a text that begins with a quote is to stand in quotes as a whole')
  return text
}

function toStep(command) {
  return { kind: 'run', ...command }
}

const singleQuoted = /'[^']*'/
const doubleQuoted = /"(?:[^"\\]|\\.)*"/
const inQuotes = RegExp(`^(?:${singleQuoted.source}|${doubleQuoted.source})$`)
const comment = /(?:^|[ \t])#.*/
const literal = RegExp(
  [singleQuoted, doubleQuoted, /\\./, comment].map(({ source }) => source).join('|'),
  'g',
)

/** Of a text without what is quoted: operators and what is expanded. A bracket or brace that is not closed is neither. */
const forShell = /[|&;<>()$`*?]|\[(?=\S*\])|\{(?=\S*(?:,|\.\.)\S*\})|(?<!\S)~/
/** Before a program: a variable in its environment. */
const assigned = /^[A-Za-z_]\w*\+?=/

/**
 * Splits a line into words as a shell would. There is none: what one would obey or expand is refused, rather than
 * given to the program as if it were an argument.
 * @throws UserError
 */
function wordsOf(line) {
  const words = splitShellWords(line)
  const bare = line.replace(literal, quoted =>
    quoted.startsWith('"') ? `%${quoted.replace(/\\.|[^$`]/g, '')}` : '%',
  )
  const [found] = forShell.exec(bare) ?? []
  if (found !== undefined)
    throw new UserError(`no shell reads this, and ${found} is for one: quote it, or write sh -c '…'`)
  if (bare.endsWith('\\')) throw new UserError('a command is one line, and this one ends in a backslash')
  return words
}
