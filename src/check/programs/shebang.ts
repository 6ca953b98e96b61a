import { decode } from '../../image/archive/utf8.ts'

/** What of a script the kernel looks at to see who runs it. */
export const shebangLength = 256

export type Shebang = {
  readonly interpreter: string
  /** All that follows on the line, as one argument. */
  readonly argument: string | undefined
}

const blank = /^[ \t]*/

/**
 * Reads the first line of a script as Linux does.
 * @param head the first `shebangLength` bytes, or all there are
 * @returns undefined where it is none, or one that the kernel refuses: `exec format error`
 * https://github.com/torvalds/linux/blob/v6.12/fs/binfmt_script.c
 */
export function parseShebang(head: Buffer): Shebang | undefined {
  const text = head.toString('latin1', 0, shebangLength)
  if (!text.startsWith('#!')) return undefined
  const end = text.indexOf('\n')
  const isCut = end === -1 && text.length === shebangLength
  // Nor does the kernel see what is after a NUL.
  const line = text.slice(2, end === -1 ? shebangLength - 1 : end)
  const rest = line.replace(blank, '')
  const interpreter = /^[^ \t\0]*/.exec(rest)?.[0] ?? ''
  // Without an end in sight the name may go on.
  if (interpreter === '' || (isCut && interpreter.length === rest.length)) return undefined
  const argument = rest
    .slice(interpreter.length)
    .replace(/\0[\s\S]*$/, '')
    .replace(blank, '')
    .replace(/[ \t]*$/, '')
  return { interpreter: decode(interpreter), argument: argument === '' ? undefined : decode(argument) }
}
