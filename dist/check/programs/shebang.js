import { decode } from '../../image/archive/utf8.js'

/** What of a script the kernel looks at to see who runs it. */
export const shebangLength = 256

const parts = /^[ \t]*(?<interpreter>[^ \t\0]*)(?:[ \t]+(?<argument>[^\0]*))?/

/**
 * Reads the first line of a script as Linux does.
 * @param head the first `shebangLength` bytes, or all there are
 * @returns undefined where it is none, or one that the kernel refuses: `exec format error`
 * https://github.com/torvalds/linux/blob/v6.12/fs/binfmt_script.c
 */
export function parseShebang(head) {
  // What is beyond the end counts as NULs.
  const text = head.toString('latin1', 0, shebangLength).padEnd(shebangLength, '\0')
  if (!text.startsWith('#!')) return undefined
  const end = text.search(/[\n\0]/)
  const hasEnd = text[end] === '\n'
  // Without an end in sight the name may go on.
  if (!hasEnd && !/^[ \t]*[^ \t][^ \t\0]*[ \t\0]/.test(text.slice(2))) return undefined
  const line = text.slice(2, hasEnd ? end : shebangLength - 1).replace(/[ \t]+$/, '')
  if (line === '') return undefined
  const { interpreter = '', argument } = parts.exec(line)?.groups ?? {}
  return { interpreter: decode(interpreter), argument: argument === undefined ? undefined : decode(argument) }
}
