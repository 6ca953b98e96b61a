import { examineProgram } from './programs/examine.js'
import { startOf } from './programs/start.js'

/** What a container starts, by itself and to see how it is. */
export const entrypointRule = { inspect: inspectPrograms }

function* inspectPrograms(subject) {
  const { entrypoint, cmd, healthcheck } = subject.config
  const argv = [...entrypoint, ...cmd]
  const what =
    entrypoint.length > 0
      ? { argv, rule: 'entrypoint', place: 'Entrypoint' }
      : { argv, rule: 'command', place: 'Cmd' }
  yield* examineProgram(subject, {
    ...startOf(subject, what),
    isFirst: true,
    cmdAt: entrypoint.length || undefined,
  })
  if (healthcheck === undefined) return
  const check = { argv: healthcheck.argv, rule: 'healthcheck', place: 'Healthcheck' }
  yield* examineProgram(subject, { ...startOf(subject, check), isFirst: true })
}
