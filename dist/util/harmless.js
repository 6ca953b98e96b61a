const zeroWidthSpace = '\u200b'

/**
 * Makes foreign text safe to print: the runner takes a line that begins with `::` as a workflow command, and the old
 * form `##[` even in the middle of a line, so that a build's log could set outputs and state of this step.
 * A zero-width space breaks both up. A lone carriage return ends a line for the runner, so it does here.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */
export function harmless(text) {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/^([\s\u0085]*):(?=:)/gm, `$1:${zeroWidthSpace}`)
    .replaceAll('##[', `#${zeroWidthSpace}#[`)
}
