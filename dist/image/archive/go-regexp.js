import { UserError } from '../../util/errors.js'
import { decode, encode } from './utf8.js'

/**
 * Says in JavaScript what a regular expression means in Go, if that can be said with few words: characters, `.`, `^`,
 * `$`, `|`, groups, plain classes and repetitions. So there are no flags, no POSIX or Unicode classes, no `\Q…\E`.
 * https://github.com/google/re2/wiki/Syntax
 * @throws UserError naming what there is not
 */
export function goRegexp(pattern) {
  const source = translate(pattern)
  let regexp
  try {
    regexp = new RegExp(source, 'gu')
  } catch (error) {
    throw unusable(pattern, pattern, error)
  }
  return {
    test: raw => decode(raw).search(regexp) >= 0,
    replaceAll(raw, template) {
      const text = decode(raw)
      let replaced = ''
      let end = 0
      for (const match of text.matchAll(regexp)) {
        replaced += text.slice(end, match.index)
        // Unlike JavaScript, Go does not replace nothing right behind what it has just replaced.
        if (match[0] !== '' || match.index > end || match.index === 0) replaced += expand(template, match)
        end = match.index + match[0].length
      }
      return encode(replaced + text.slice(end))
    },
  }
}

function unusable(pattern, piece, cause) {
  return new UserError(
    `The regular expression ${JSON.stringify(pattern)} of a layer is not supported at ${JSON.stringify(piece)}.`,
    {
      advice: 'Write it with characters, `.`, `^`, `$`, `|`, groups, classes and repetitions alone.',
      cause,
    },
  )
}

const piece = new RegExp(
  [
    String.raw`\\(?<escaped>[\s\S])`,
    // What begins with a bracket, or names a class, would mean something else here.
    String.raw`\[(?!\^?\])(?:[^[\]\\]|\\[dDwWtnrfv\\\]^[.\-$*+?(){}|/])+\]`,
    String.raw`\((?:\?:|\?P?(?=<[A-Za-z_]\w*>)|(?!\?))`,
    String.raw`(?<plain>[^\\[(])`,
  ].join('|'),
  'uy',
)

function translate(pattern) {
  let source = ''
  for (let at = 0; at < pattern.length; at = piece.lastIndex) {
    piece.lastIndex = at
    const found = piece.exec(pattern)
    const { escaped, plain } = found?.groups ?? {}
    const words =
      escaped !== undefined ? meaningOf(escaped) : plain !== undefined ? characterOf(plain) : found?.[0]
    if (words === undefined) throw unusable(pattern, pattern.slice(at))
    source += words === '(?P' ? '(?' : words
  }
  return source
}

/** What a backslash and a character mean. */
function meaningOf(character) {
  if (/[dDwWbBtnrfv]/.test(character)) return `\\${character}`
  // JavaScript's have more spaces in them.
  if (character === 's') return '[\\t\\n\\f\\r ]'
  if (character === 'S') return '[^\\t\\n\\f\\r ]'
  // Others may mean something; what is no letter or digit is itself.
  return /^[ -/:-@[-`{-~]$/.test(character) ? character.replace(/[\\^$.*+?()[\]{}|]/, '\\$&') : undefined
}

/** What a character means that is neither escaped nor begins anything. */
function characterOf(character) {
  // JavaScript's dot has more ends of lines.
  if (character === '.') return '[^\\n]'
  return character === ']' ? '\\]' : character
}

/** https://pkg.go.dev/regexp#Regexp.Expand */
function expand(template, match) {
  return template.replace(/\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu, (_, bare, braced) => {
    const name = bare ?? braced
    if (name === undefined) return '$'
    return (/^(0|[1-9][0-9]*)$/.test(name) ? match[Number(name)] : match.groups?.[name]) ?? ''
  })
}
