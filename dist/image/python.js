/** In JSON: a string, and whether it is a key; anything else, without the space around it. */
const token = /("(?:[^"\\]|\\.)*")(\s*:)?|[[\]{},]|[^\s,:[\]{}"]+/g

/**
 * @param most characters that `pythonJson` may make of it, which indents what is deep
 * @throws SyntaxError when it is not JSON, RangeError when it is too deep or too long
 */
export function parseOrdered(text, most) {
  JSON.parse(text)
  // In valid JSON a string with a colon behind it is a key, and what begins with a digit or a minus outside of strings
  // is a number. With a letter before it no key looks like a number, and a number can be kept as text.
  const marked = []
  let depth = 0
  let length = 0
  for (const [match, string, colon] of text.matchAll(token)) {
    if (match === '[' || match === '{') depth++
    if (match === ']' || match === '}') depth--
    length += match.length + 4 * depth
    if (length > most) throw new RangeError('too much JSON')
    if (string !== undefined) marked.push(`"s${string.slice(1)}${colon ?? ''}`)
    else marked.push(/^[-0-9]/.test(match) ? `"n${match}"` : match)
  }
  return JSON.parse(marked.join(''), (_, value) => {
    if (typeof value === 'string') return value.startsWith('n') ? { literal: value.slice(1) } : value.slice(1)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return new Map(Object.entries(value).map(([key, each]) => [key.slice(1), each]))
  })
}

/** As Python writes it: `json.dumps(value, indent=4)`. https://docs.python.org/3/library/json.html#json.dumps */
export function pythonJson(value, indent = '') {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return jsonString(value)
  if ('literal' in value) return pythonNumber(value.literal)
  const inner = `${indent}    `
  const [open, close, items] =
    value instanceof Map
      ? ['{', '}', [...value].map(([key, each]) => `${jsonString(key)}: ${pythonJson(each, inner)}`)]
      : ['[', ']', value.map(each => pythonJson(each, inner))]
  if (items.length === 0) return open + close
  return `${open}\n${items.map(item => inner + item).join(',\n')}\n${indent}${close}`
}

/** In ASCII; what is beyond 16 bits as two surrogates. */
function jsonString(text) {
  return JSON.stringify(text).replace(/[^ -~]/g, unit => `\\u${hex(unit.charCodeAt(0), 4)}`)
}

/** What `json.loads` and `json.dumps` make of a number: integers of any size as they are, else the shortest float. */
function pythonNumber(literal) {
  if (/^-?[0-9]+$/.test(literal)) return literal === '-0' ? '0' : literal
  const value = Number(literal)
  if (!Number.isFinite(value)) return value < 0 ? '-Infinity' : 'Infinity'
  if (Object.is(value, -0)) return '-0.0'
  const [digits = '', exponent = ''] = value.toExponential().split('e')
  const power = Number(exponent)
  if (value === 0 || (power >= -4 && power < 16)) return String(value) + (Number.isInteger(value) ? '.0' : '')
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** A list of strings as Python's `repr` shows it. https://docs.python.org/3/library/functions.html#repr */
export function pythonList(items) {
  return `[${items.map(pythonString).join(', ')}]`
}

const short = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' }

function pythonString(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'"
  const escaped = text.replace(/[\\\p{C}\p{Z}]/gu, character => {
    if (character === ' ') return character
    const code = character.codePointAt(0) ?? 0
    const long =
      code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`
    return short[character] ?? long
  })
  return quote + escaped.replaceAll(quote, `\\${quote}`) + quote
}

function hex(value, digits) {
  return value.toString(16).padStart(digits, '0')
}
