/**
 * Reads a file that a step wrote for GITHUB_ENV, GITHUB_OUTPUT or GITHUB_STATE: lines `name=value`, or
 * `name<<delimiter`, the lines of the value, `delimiter`. A name that comes again replaces the one before.
 * @throws Error in the runner's words when the format is wrong
 */
export function parseEnvFile(text: string): Map<string, string> {
  const values = new Map<string, string>()
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
    if (line === '') continue
    const equals = line.indexOf('=')
    const heredoc = line.indexOf('<<')
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      if (equals === 0) throw new Error(`Invalid format '${line}'. Name must not be empty`)
      values.set(line.slice(0, equals), line.slice(equals + 1))
    } else if (heredoc >= 0) {
      const delimiter = line.slice(heredoc + 2)
      if (heredoc === 0 || delimiter === '')
        throw new Error(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`)
      const end = lines.indexOf(delimiter)
      if (end < 0) throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`)
      values.set(
        line.slice(0, heredoc),
        lines
          .splice(0, end + 1)
          .slice(0, -1)
          .join('\n'),
      )
    } else throw new Error(`Invalid format '${line}'`)
  }
  return values
}

/** Reads a file that a step wrote for GITHUB_PATH. The last line comes first in PATH. */
export function parsePathFile(text: string): string[] {
  return text.split(/\r?\n/).filter(line => line !== '')
}
