/**
 * A failure that a user can act on. `message` says what happened and where, `advice` what to do about it.
 * Anything else that is thrown is a defect of ours and is reported as one.
 */
export class UserError extends Error {
  name = 'UserError'
  advice
  place
  /**
   * Lines to print under the message: the end of a build log, Nix's own words. Bounded by who makes it, and safe to
   * print as it is: no line of it is a workflow command.
   */
  detail

  constructor(message, options = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.advice = options.advice
    this.place = options.place
    this.detail = options.detail
  }
}

/** The message of anything that can be thrown, without its stack. */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error)
}

/** The `code` that Node.js puts on system errors (`ENOSPC`, `ECONNREFUSED`), looked for through `cause`. */
export function codeOf(error) {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = at.code
    if (typeof code === 'string') return code
  }
  return undefined
}
