import assert from 'node:assert/strict'
import fc from 'fast-check'

/** Text made of what means something in markdown or HTML, and of anything else. */
export function hostile(maxLength: number): fc.Arbitrary<string> {
  const parts = ['`', '```', '~~~', '\n', '\r', '\t', '    ', '|', '<b>', '</details>', '<!--', '&lt;', '#']
  const more = [
    '*',
    '_',
    '- ',
    '---',
    '===',
    '+ ',
    '1. ',
    '2) ',
    '>',
    '[a](b)',
    '![',
    '\\',
    '\0',
    '\u2028',
    ' ',
  ]
  return fc.oneof(
    fc.string({ unit: fc.constantFrom(...parts, ...more, 'a'), maxLength }),
    fc.string({ unit: 'binary', maxLength }),
  )
}

/**
 * The blocks of a summary as a reader of CommonMark finds them, as far as our summaries use it. Fails on anything
 * that is none of ours: a tag, a line that begins otherwise, a row with another number of cells.
 */
export function outline(markdown: string): string[] {
  const found: string[] = []
  // CommonMark's line endings.
  const lines = markdown.split(/\r\n?|\n/)
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const fence = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (fence !== undefined) {
      const end = lines.findIndex((other, index) => index > at && isEnd(other, fence))
      assert.notEqual(end, -1, 'a code block has no end')
      found.push('code')
      at = end
      continue
    }
    if (line === '') continue
    const text = line.replaceAll(/<\/?code>|<\/?summary>/g, '')
    const columns = (line.match(/(?<!\\)(?:\\\\)*\|/g)?.length ?? 0) - 1
    const kind = kindOf(text, columns)
    assert.ok(!/<(?!\/?details>)/.test(text), `a tag: ${line}`)
    assert.doesNotMatch(text.replaceAll(/\\./g, ''), /[`[\]~]|&(?!amp;|lt;|gt;|nbsp;)/, 'markup')
    if (lines[at - 1] === '' || at === 0 || found.at(-1) !== kind) found.push(kind)
  }
  return found
}

function isEnd(line: string, fence: string): boolean {
  const run = /^ {0,3}(`+|~+)[ \t]*$/.exec(line)?.[1]
  return run !== undefined && run[0] === fence[0] && run.length >= fence.length
}

function kindOf(line: string, columns: number): string {
  if (/^#{3,4} \S/.test(line)) return 'heading'
  if (line.startsWith('| ')) return `table of ${columns}`
  if (line === '</details>') return 'end of details'
  if (/^<details>[^<]*$/.test(line)) return 'details'
  const [, marker, rest = ''] = /^(> |- )?(.*)$/s.exec(line) ?? []
  assert.doesNotMatch(
    rest,
    /^(?: {4}|\s*(?:[-+*](?:\s|$)|([-*_=])\1*\s*$|[>#]|\d+[.)](?:\s|$)))/,
    `a block begins: ${line}`,
  )
  return marker === '> ' ? 'quote' : marker === '- ' ? 'list' : 'paragraph'
}
