import type { Place } from './errors.ts'

/** Where every module says what it does. The runner's implementation masks secrets; tests collect lines. */
export type Log = {
  /** Shown only when the workflow is debugged. */
  debug(message: string): void
  info(message: string): void
  /** Something that the user should know and that does not stop the job; shown as an annotation. */
  warning(message: string, place?: Place): void
  /** Lines said while `work` runs are folded under `title`. Groups do not nest: an inner one is flat. */
  group<T>(title: string, work: () => Promise<T>): Promise<T>
}

/** A log that says nothing, for tests and for work whose words nobody needs. */
export const silent: Log = {
  debug: () => {},
  info: () => {},
  warning: () => {},
  group: (_title, work) => work(),
}
