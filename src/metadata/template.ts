import { parse } from 'handlebars/dist/cjs/handlebars/compiler/base.js'
import { type DateFormat, dateFormat } from './date.ts'

/** What expressions stand for, by name; one that gives a date takes a format: `{{date 'YYYY' tz='UTC'}}`. */
export type Vocabulary<Text extends string, When extends string> = {
  readonly texts: readonly Text[]
  readonly dates: readonly When[]
}

export type Meanings<Text extends string, When extends string> = {
  text(name: Text): string
  date(name: When): Date
}

/** Gives the text with its expressions replaced. */
export type Template<Text extends string, When extends string = never> = (
  meanings: Meanings<Text, When>,
) => string

/**
 * Reads a text with expressions in Handlebars' notation: names of the vocabulary, `if` and `unless`. What it gives is
 * put in as it is, without HTML's entities.
 * https://handlebarsjs.com/guide/expressions.html
 * @throws Error for everything else
 */
export function parseTemplate<Text extends string, When extends string>(
  text: string,
  vocabulary: Vocabulary<Text, When>,
): Template<Text, When> {
  return compile(programOf(text), vocabulary)
}

/** Whether a text is the one expression of that name and nothing else. */
export function isOnly(text: string, name: string): boolean {
  const [statement, ...others] = programOf(text).body
  if (statement?.type !== 'MustacheStatement' || others.length > 0) return false
  return nameOf((statement as hbs.AST.MustacheStatement).path) === name
}

function programOf(text: string): hbs.AST.Program {
  try {
    return parse(text)
  } catch {
    throw new Error('has a {{…}} that cannot be read')
  }
}

function compile<Text extends string, When extends string>(
  program: hbs.AST.Program | undefined,
  vocabulary: Vocabulary<Text, When>,
): Template<Text, When> {
  const parts = (program?.body ?? []).map(statement => compileStatement(statement, vocabulary))
  return meanings => parts.map(part => part(meanings)).join('')
}

function compileStatement<Text extends string, When extends string>(
  statement: hbs.AST.Statement,
  vocabulary: Vocabulary<Text, When>,
): Template<Text, When> {
  switch (statement.type) {
    case 'ContentStatement': {
      const { value } = statement as hbs.AST.ContentStatement
      return () => value
    }
    case 'CommentStatement':
      return () => ''
    case 'MustacheStatement':
      return compileExpression(statement as hbs.AST.MustacheStatement, vocabulary)
    case 'BlockStatement':
      return compileBlock(statement as hbs.AST.BlockStatement, vocabulary)
    default:
      throw new Error('has a {{…}} of a kind that is not known here')
  }
}

function compileExpression<Text extends string, When extends string>(
  { path, params, hash }: hbs.AST.MustacheStatement,
  { texts, dates }: Vocabulary<Text, When>,
): Template<Text, When> {
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

function formatOf(name: string, params: hbs.AST.Expression[], hash: hbs.AST.Hash | undefined): DateFormat {
  const [format, ...others] = params
  if (!isString(format) || others.length > 0)
    throw new Error(`{{${name}}} takes a format in quotes: {{${name} 'YYYYMMDD'}}`)
  let zone: string | undefined
  for (const { key, value } of hash?.pairs ?? []) {
    if (key !== 'tz') throw new Error(`{{${name}}} has no ${key}=`)
    if (!isString(value)) throw new Error(`{{${name}}} takes a time zone in quotes: tz='Europe/Berlin'`)
    zone = value.value
  }
  return dateFormat(format.value, zone)
}

function compileBlock<Text extends string, When extends string>(
  { path, params, hash, program, inverse }: hbs.AST.BlockStatement,
  vocabulary: Vocabulary<Text, When>,
): Template<Text, When> {
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
function nameOf(expression: hbs.AST.Expression): string | undefined {
  if (expression.type !== 'PathExpression') return undefined
  const { data, depth, parts } = expression as hbs.AST.PathExpression
  return !data && depth === 0 && parts.length === 1 ? parts[0] : undefined
}

function isString(expression: hbs.AST.Expression | undefined): expression is hbs.AST.StringLiteral {
  return expression?.type === 'StringLiteral'
}

function unknownName(expression: hbs.AST.Expression, names: readonly string[]): Error {
  const { original = '…' } = expression as { original?: unknown }
  return new Error(
    `{{${original}}} is not known here: there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`,
  )
}
