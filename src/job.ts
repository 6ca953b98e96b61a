import type { Inputs } from './inputs/model.ts'
import type { Places } from './places.ts'
import type { Report } from './report.ts'
import type { Context } from './runner/context.ts'
import type { Runner } from './runner/runner.ts'
import type { State } from './state.ts'
import type { Phases } from './util/phases.ts'

/** One run of main: what its steps share. */
export type Job = {
  readonly runner: Runner
  readonly env: NodeJS.ProcessEnv
  readonly context: Context
  /** `x86_64-linux` */
  readonly system: string
  readonly inputs: Inputs
  readonly places: Places
  readonly phases: Phases
  /** What people and later steps are told: filled as it becomes known. */
  readonly report: Report
  /** What post is told so far; `save` adds to it. */
  readonly state: Readonly<State>
  readonly save: (more: Partial<State>) => void
  readonly signal: AbortSignal
}
