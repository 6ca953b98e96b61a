/**
 * Reads files as Python's `configparser` does for supervisord: comments also behind a space within a line, values that
 * go on in indented lines, sections that are opened again. Later values replace earlier ones.
 * https://docs.python.org/3/library/configparser.html#supported-ini-file-structure
 */
export function parseIni(files) {
  const sections = new Map()
  const refused = []
  for (const { path: file, text } of files) {
    let section
    let key
    let indent = 0
    for (const [index, whole] of text.split(/\r?\n/).entries()) {
      const line = index + 1
      const content = whole.replace(/(^|\s)[;#].*$/s, '').trimEnd()
      if (content.trim() === '') continue
      const depth = content.length - content.trimStart().length
      const before = key === undefined ? undefined : section?.get(key)
      if (key !== undefined && before !== undefined && depth > indent) {
        section?.set(key, {
          ...before,
          text: before.text === '' ? content.trim() : `${before.text}\n${content.trim()}`,
        })
        continue
      }
      indent = depth
      const header = /^\[(.+)\]/.exec(content.trim())?.[1]
      const at = content.search(/[=:]/)
      const name = content.slice(0, Math.max(at, 0)).trim().toLowerCase()
      if (header !== undefined) {
        const opened = sections.get(header) ?? { file, line, values: new Map() }
        sections.set(header, opened)
        section = opened.values
        key = undefined
      } else if (section !== undefined && name !== '') {
        key = name
        section.set(key, { text: content.slice(at + 1).trim(), file, line })
      } else refused.push({ file, line })
    }
  }
  return { sections, refused }
}
