/** Where in a file of the workspace an error belongs, as a workflow command's annotation takes it. */
export type Place = {
  /** Path relative to the workspace. */
  readonly file: string
  /** 1-based. */
  readonly line?: number
}

/**
 * A failure that a user can act on. `message` says what happened and where, `advice` what to do about it.
 * Anything else that is thrown is a defect of ours and is reported as one.
 */
export class UserError extends Error {
  override readonly name = 'UserError'
  readonly advice: string | undefined
  readonly place: Place | undefined
  /**
   * Lines to print under the message: the end of a build log, Nix's own words. Bounded by who makes it, and safe to
   * print as it is: no line of it is a workflow command.
   */
  readonly detail: string | undefined

  constructor(
    message: string,
    options: { advice?: string; place?: Place; detail?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.advice = options.advice
    this.place = options.place
    this.detail = options.detail
  }
}

/** What is more, or other, than we can handle: nothing is wrong with it. */
export class LimitError extends UserError {}

/** What the user can do about it. What nobody foresaw is a defect of ours. */
export function adviceOf(error: unknown): string | undefined {
  return error instanceof UserError ? error.advice : 'This is a defect of nix-image-action: please report it.'
}

/** The message of anything that can be thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The `code` that Node.js puts on system errors (`ENOSPC`, `ECONNREFUSED`), looked for through `cause`. */
export function codeOf(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = (at as NodeJS.ErrnoException).code
    if (typeof code === 'string') return code
  }
  return undefined
}

/** Whether there was no room, as Node.js or as a program has said it. */
export function isDiskFull(error: unknown): boolean {
  return (
    ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '') ||
    /No space left on device|Disk quota exceeded|disk is full|Wrote only \d+ of/i.test(messageOf(error))
  )
}

/** A full disk in the words that every step has for it; anything else as it is. */
export function inWords(error: unknown): unknown {
  if (error instanceof UserError || !isDiskFull(error)) return error
  return new UserError(`The disk is full: ${messageOf(error)}`, {
    advice: 'Give the job more room, for instance by removing what it does not need before this step.',
    cause: error,
  })
}
