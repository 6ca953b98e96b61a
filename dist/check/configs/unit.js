/**
 * Reads a unit file as systemd does: assignments by section, in their order, with lines that go on behind a backslash.
 * An empty value stays, since it takes away what was assigned before.
 * https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html
 */
export function parseUnit(text) {
  const sections = new Map()
  let section
  let begun
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    // A comment between lines that belong together is left out; they go on.
    if (/^\s*[#;]/.test(whole)) continue
    const part = whole.trim()
    const goesOn = part.endsWith('\\')
    const text = goesOn ? `${part.slice(0, -1)} ` : part
    const joined = { text: (begun?.text ?? '') + text, line: begun?.line ?? index + 1 }
    begun = goesOn ? joined : undefined
    if (goesOn) continue
    const header = /^\[([^\]]+)\]$/.exec(joined.text)?.[1]
    const at = joined.text.indexOf('=')
    if (header !== undefined) {
      section = sections.get(header) ?? []
      sections.set(header, section)
    } else if (at > 0) {
      const [key, value] = [joined.text.slice(0, at).trim(), joined.text.slice(at + 1).trim()]
      section?.push({ key, value, line: joined.line })
    }
  }
  return sections
}
