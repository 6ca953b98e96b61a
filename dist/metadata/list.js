import { parse } from '../vendor/csv-parse-sync.js'
import { messageOf, UserError } from '../util/errors.js'

/**
 * The entries of an input that is a list, one a line. As docker/metadata-action reads it: what is in double quotes from
 * the beginning of a field to its end may hold anything, line breaks too, and loses the quotes here.
 * @throws UserError when a quote is not closed
 */
export function entriesOf(text) {
  const plain = text.replaceAll('\r\n', '\n')
  try {
    return csv(plain, { comment: '#', comment_no_infix: true, relax_quotes: true })
      .map(fields => fields.join(',').trim())
      .filter(entry => entry !== '' && !entry.startsWith('#'))
  } catch (error) {
    // All that can be wrong here is a quote.
    const line = plain.split('\n').findLast(line => line.includes('"'))
    throw new UserError(`${line?.trim()}: ${messageOf(error)}.`, { cause: error })
  }
}

/**
 * The fields of an entry: `type=raw,value=x` has two.
 * @throws Error when it cannot be read
 */
export function fieldsOf(entry) {
  const [fields = [], ...others] = csv(entry, {})
  if (others.length > 0) throw new Error('has several lines')
  return fields.map(field => {
    const text = field.trim()
    if (text === '' || text.startsWith('=')) throw new Error('has an empty field')
    const at = text.indexOf('=')
    if (at === -1) return { name: undefined, value: text }
    return { name: text.slice(0, at).trim().toLowerCase(), value: text.slice(at + 1).trim() }
  })
}

/**
 * What each of some entries is read as.
 * @param textOf what names an entry
 * @throws UserError that names every entry for which `read` throws
 */
export function readEach(entries, advice, textOf, read) {
  const problems = []
  const values = []
  for (const entry of entries) {
    try {
      values.push(read(entry))
    } catch (error) {
      // Anything else is a mistake of ours.
      if (!(error instanceof Error) || error.constructor !== Error) throw error
      problems.push(`  - ${textOf(entry)}: ${messageOf(error)}`)
    }
  }
  if (problems.length > 0) throw new UserError(`Not usable:\n${problems.join('\n')}\n`, { advice })
  return values
}

function csv(text, options) {
  try {
    return parse(text, { ...options, relax_column_count: true, skip_empty_lines: true })
  } catch (error) {
    const { code, message } = error
    const words = {
      CSV_QUOTE_NOT_CLOSED: 'has a double quote that is not closed',
      INVALID_OPENING_QUOTE:
        'has a double quote in the middle of a field: it can be around a whole field only',
      CSV_INVALID_CLOSING_QUOTE: 'has something behind a field in double quotes',
    }
    throw new Error(words[code] ?? message, { cause: error })
  }
}
