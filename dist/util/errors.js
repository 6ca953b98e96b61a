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

/** What is more, or other, than we can handle: nothing is wrong with it. */
export class LimitError extends UserError {}

/** What the user can do about it. What nobody foresaw is a defect of ours. */
export function adviceOf(error) {
  return error instanceof UserError ? error.advice : 'This is a defect of nix-image-action: please report it.'
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

/** Whether there was no room, as Node.js or as a program has said it. */
export function isDiskFull(error) {
  return (
    ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '') ||
    /No space left on device|Disk quota exceeded|disk is full|Wrote only \d+ of/i.test(messageOf(error))
  )
}

/** A full disk in the words that every step has for it; anything else as it is. */
export function inWords(error) {
  if (error instanceof UserError || !isDiskFull(error)) return error
  return new UserError(`The disk is full: ${messageOf(error)}`, {
    advice: 'Give the job more room, for instance by removing what it does not need before this step.',
    cause: error,
  })
}
