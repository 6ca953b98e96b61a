import type { Finding, Rule, Subject } from './model.ts'
import { examineProgram } from './programs/examine.ts'
import { startOf } from './programs/start.ts'

/** What a container starts, by itself and to see how it is. */
export const entrypointRule: Rule = { inspect: inspectPrograms }

function* inspectPrograms(subject: Subject): Generator<Finding> {
  const { entrypoint, cmd, healthcheck } = subject.config
  const argv = [...entrypoint, ...cmd]
  const what =
    entrypoint.length > 0
      ? ({ argv, rule: 'entrypoint', place: 'Entrypoint' } as const)
      : ({ argv, rule: 'command', place: 'Cmd' } as const)
  yield* examineProgram(subject, {
    ...startOf(subject, what),
    isFirst: true,
    cmdAt: entrypoint.length || undefined,
  })
  if (healthcheck === undefined) return
  const check = { argv: healthcheck.argv, rule: 'healthcheck', place: 'Healthcheck' } as const
  yield* examineProgram(subject, { ...startOf(subject, check), isFirst: true })
}
