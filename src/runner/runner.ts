import * as core from '@actions/core'
import { adviceOf, messageOf, type Place, UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'

/** The GitHub runner as this action uses it. Everything that it is told goes through this one object. */
export type Runner = Log & {
  /** The input's text, trimmed; empty when not set. */
  input(name: string): string
  /** From now on the runner replaces this text by `***` in the log. */
  secret(value: string): void
  output(name: string, value: string): void
  /** For this process's children and for later steps. */
  exportVariable(name: string, value: string): void
  addPath(directory: string): void
  /** Hands a text from main to post; the last one said wins. */
  saveState(name: string, value: string): void
  state(name: string): string
  /** Appends markdown to the job's summary. */
  summary(markdown: string): Promise<void>
  /** Ends the step as failed, in the words of the error. A stack goes to the debug log only. */
  fail(error: unknown): void
}

export function githubRunner(): Runner {
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

function annotation(place: Place | undefined): core.AnnotationProperties {
  return {
    ...(place === undefined ? {} : { file: place.file }),
    ...(place?.line === undefined ? {} : { startLine: place.line }),
  }
}

/** What goes wrong in saying or keeping something is a warning. */
export async function attempt(runner: Runner, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (error instanceof Error && error.stack !== undefined) runner.debug(error.stack)
    runner.warning(`${what}: ${messageOf(error)}`)
  }
}
