import { parse } from '../vendor/handlebars-dist-cjs-handlebars-compiler-base.js.js'
import { dateFormat } from './date.js'

/**
 * Reads a text with expressions in Handlebars' notation: names of the vocabulary, `if` and `unless`. What it gives is
 * put in as it is, without HTML's entities.
 * https://handlebarsjs.com/guide/expressions.html
 * @throws Error for everything else
 */
export function parseTemplate(text, vocabulary) {
  return compile(programOf(text), vocabulary)
}

/** Whether a text is the one expression of that name and nothing else. */
export function isOnly(text, name) {
  const [statement, ...others] = programOf(text).body
  if (statement?.type !== 'MustacheStatement' || others.length > 0) return false
  return nameOf(statement.path) === name
}

function programOf(text) {
  try {
    return parse(text)
  } catch {
    throw new Error('has a {{…}} that cannot be read')
  }
}

function compile(program, vocabulary) {
  const parts = (program?.body ?? []).map(statement => compileStatement(statement, vocabulary))
  return meanings => parts.map(part => part(meanings)).join('')
}

function compileStatement(statement, vocabulary) {
  switch (statement.type) {
    case 'ContentStatement': {
      const { value } = statement
      return () => value
    }
    case 'CommentStatement':
      return () => ''
    case 'MustacheStatement':
      return compileExpression(statement, vocabulary)
    case 'BlockStatement':
      return compileBlock(statement, vocabulary)
    default:
      throw new Error('has a {{…}} of a kind that is not known here')
  }
}

function compileExpression({ path, params, hash }, { texts, dates }) {
  const name = nameOf(path)
  const given = params.length + (hash?.pairs.length ?? 0)
  const text = texts.find(each => each === name)
  if (text !== undefined) {
    if (given > 0) throw new Error(`{{${text}}} takes nothing`)
    return meanings => meanings.text(text)
  }
  const date = dates.find(each => each === name)
  if (date !== undefined) {
    const format = formatOf(date, params, hash)
    return meanings => format(meanings.date(date))
  }
  throw unknownName(path, [...texts, ...dates])
}

function formatOf(name, params, hash) {
  const [format, ...others] = params
  if (!isString(format) || others.length > 0)
    throw new Error(`{{${name}}} takes a format in quotes: {{${name} 'YYYYMMDD'}}`)
  let zone
  for (const { key, value } of hash?.pairs ?? []) {
    if (key !== 'tz') throw new Error(`{{${name}}} has no ${key}=`)
    if (!isString(value)) throw new Error(`{{${name}}} takes a time zone in quotes: tz='Europe/Berlin'`)
    zone = value.value
  }
  return dateFormat(format.value, zone)
}

function compileBlock({ path, params, hash, program, inverse }, vocabulary) {
  const kind = nameOf(path)
  if (kind !== 'if' && kind !== 'unless') throw new Error('has a {{#…}} other than {{#if}} and {{#unless}}')
  const [asked, ...others] = params
  if (asked === undefined || others.length > 0 || (hash?.pairs.length ?? 0) > 0)
    throw new Error(`{{#${kind}}} takes one name`)
  const name = vocabulary.texts.find(each => each === nameOf(asked))
  if (name === undefined) throw unknownName(asked, vocabulary.texts)
  const [yes, no] = [compile(program, vocabulary), compile(inverse, vocabulary)]
  return meanings => {
    const holds = !['', 'false', '0'].includes(meanings.text(name))
    return holds === (kind === 'if') ? yes(meanings) : no(meanings)
  }
}

/** Of a plain name; undefined for paths and all else. */
function nameOf(expression) {
  if (expression.type !== 'PathExpression') return undefined
  const { data, depth, parts } = expression
  return !data && depth === 0 && parts.length === 1 ? parts[0] : undefined
}

function isString(expression) {
  return expression?.type === 'StringLiteral'
}

function unknownName(expression, names) {
  const { original = '…' } = expression
  return new Error(
    `{{${original}}} is not known here: there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`,
  )
}
