import * as core from '../vendor/actions-core.js'
import { adviceOf, messageOf, UserError } from '../util/errors.js'

export function githubRunner() {
  let grouped = false
  return {
    debug: core.debug,
    info: core.info,
    warning: (message, place) => core.warning(message, annotation(place)),
    async group(title, work) {
      if (grouped) {
        core.info(title)
        return work()
      }
      grouped = true
      try {
        return await core.group(title, work)
      } finally {
        grouped = false
      }
    },
    input: name => core.getInput(name),
    secret: value => {
      // The runner masks line by line: a secret of several lines is only hidden when each line is.
      // Not the brackets of a key in JSON: they are in everything.
      const lines = value.split(/\r?\n/)
      for (const line of lines) if (line.trim().length > 3 || lines.length === 1) core.setSecret(line)
    },
    output: core.setOutput,
    exportVariable: core.exportVariable,
    addPath: core.addPath,
    saveState: core.saveState,
    state: core.getState,
    async summary(markdown) {
      await core.summary.addRaw(markdown, true).write()
    },
    fail(error) {
      const known = error instanceof UserError
      if (error instanceof Error && error.stack !== undefined) core.debug(error.stack)
      process.exitCode = core.ExitCode.Failure
      const lines = [messageOf(error), known ? error.detail : undefined, adviceOf(error)]
      core.error(lines.filter(Boolean).join('\n'), annotation(known ? error.place : undefined))
    },
  }
}

function annotation(place) {
  return {
    ...(place === undefined ? {} : { file: place.file }),
    ...(place?.line === undefined ? {} : { startLine: place.line }),
  }
}

/** What goes wrong in saying or keeping something is a warning. */
export async function attempt(runner, what, work) {
  try {
    await work()
  } catch (error) {
    if (error instanceof Error && error.stack !== undefined) runner.debug(error.stack)
    runner.warning(`${what}: ${messageOf(error)}`)
  }
}
