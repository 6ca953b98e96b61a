/** A value, and where it begins. */
export type IniValue = { readonly text: string; readonly file: string; readonly line: number }

export type IniSection = {
  readonly file: string
  /** Of its first header. */
  readonly line: number
  readonly values: ReadonlyMap<string, IniValue>
}

export type Ini = {
  readonly sections: ReadonlyMap<string, IniSection>
  /** Lines that are none of a section, a value or a comment: what reads such a file refuses it. */
  readonly refused: readonly { readonly file: string; readonly line: number }[]
}

/**
 * Reads files as Python's `configparser` does for supervisord: comments also behind a space within a line, values that
 * go on in indented lines, sections that are opened again. Later values replace earlier ones.
 * https://docs.python.org/3/library/configparser.html#supported-ini-file-structure
 */
export function parseIni(files: readonly { readonly path: string; readonly text: string }[]): Ini {
  const sections = new Map<string, { file: string; line: number; values: Map<string, IniValue> }>()
  const refused: { file: string; line: number }[] = []
  for (const { path: file, text } of files) {
    let section: Map<string, IniValue> | undefined
    let key: string | undefined
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
        const opened = sections.get(header) ?? { file, line, values: new Map<string, IniValue>() }
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
