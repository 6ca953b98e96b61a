import { UserError } from './errors.js'

const token =
  /(?<space>[ \t\r\n]+)|'(?<single>[^']*)'|"(?<double>(?:[^"\\]|\\.)*)"|\\(?<escaped>.)|(?<plain>[^ \t\r\n'"\\]+|\\$)/sy

/**
 * Splits a text into words by the quoting rules of sh: single and double quotes, backslash, a backslash at a line's
 * end to continue it, `#` at the start of a word for a comment. Nothing is expanded and nothing is an operator:
 * `$x`, `*`, `~` and `&` stand for themselves. A line's end separates words as a space does.
 * https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02
 * @throws UserError when a quote is not closed.
 */
export function splitShellWords(text) {
  const words = []
  let word
  let at = 0
  while (at < text.length) {
    if (word === undefined && text[at] === '#') {
      const end = text.indexOf('\n', at)
      at = end === -1 ? text.length : end
      continue
    }
    token.lastIndex = at
    const groups = token.exec(text)?.groups
    if (groups === undefined) {
      const quote = text[at] === '"' ? 'double' : 'single'
      throw new UserError(
        `the ${quote} quote before '${text.slice(at + 1, at + 21).trimEnd()}' is not closed`,
      )
    }
    at = token.lastIndex
    if (groups.space !== undefined) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (groups.escaped !== '\n') {
      word = (word ?? '') + literal(groups)
    }
  }
  if (word !== undefined) words.push(word)
  return words
}

function literal(groups) {
  // Within double quotes a backslash is special only before these.
  const double = groups.double?.replace(/\\([$`"\\\n])/g, (_, escaped) => (escaped === '\n' ? '' : escaped))
  return double ?? groups.single ?? groups.escaped ?? groups.plain ?? ''
}
