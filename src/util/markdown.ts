/**
 * Markdown as GitHub shows it (GFM), made of text that may be anybody's: whatever it holds, it stays text, in its cell
 * and in its block. https://github.github.com/gfm/
 */

/** Text that markdown and HTML leave alone, in one line, also within a table's cell. */
export function plain(text: string): string {
  return withoutControls(text)
    .replace(/\s+/g, ' ')
    .replace(/[&<>]/g, char => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[char] ?? char)
    .replace(/[\\`*_{}[\]#|~]/g, '\\$&')
    .replace(/^( ?)([-+=])/, '$1\\$2')
    .replace(/^( ?\d+)([.)])(?= |$)/, '$1\\$2')
}

/** As `plain`, with what is between two backticks shown as code. */
export function words(text: string): string {
  const pieces = text.split('`')
  // An odd number of backticks has no pairs.
  if (pieces.length % 2 === 0) return plain(text)
  return pieces.map((piece, index) => (index % 2 === 1 ? code(piece) : plain(piece))).join('')
}

/** A short text in the font of code, cut where it is long. */
export function code(text: string): string {
  return `<code>${plain(cut(text, 250))}</code>`
}

/** Lines as they are, in a block that nothing in them can end. */
export function codeBlock(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(Math.max(3, longest + 1))
  return `${fence}\n${withoutControls(text)}\n${fence}`
}

/** Lines of somebody's words, set apart. */
export function quote(text: string): string {
  const line = (one: string) => `> ${/^\s/.test(one) ? '&nbsp;&nbsp;' : ''}${words(one.trim())}`
  return withoutControls(text).split('\n').map(line).join('  \n')
}

/** @param rows cells that are markdown already. Without rows there is no table. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => ':--')), ...rows.map(line)].join('\n')
}

/** Blocks that are seen after a click on the title. */
export function details(title: string, ...blocks: readonly string[]): string {
  return join([`<details><summary>${title}</summary>`, ...blocks, '</details>'])
}

/** Blocks below each other; empty ones are left out. */
export function join(blocks: readonly string[]): string {
  return blocks.filter(block => block !== '').join('\n\n')
}

/** The beginning of a text that is longer than `most` characters. */
export function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text
}

/** Markdown takes a lone carriage return for the end of a line. */
function withoutControls(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/\r\n?/g, '\n').replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '')
}
