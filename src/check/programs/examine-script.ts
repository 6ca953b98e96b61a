import type { Found } from '../../image/rootfs/model.ts'
import type { Finding } from '../model.ts'
import { absolute } from './access.ts'
import { formatFinding } from './not-started.ts'
import { parseShebang } from './shebang.ts'
import { leadsTo, type Start } from './start.ts'

/**
 * Tells why the kernel will not find who runs a script.
 * @param head the script's first bytes
 * @param examine tells of the interpreter, and of what that starts
 */
export function examineScript(
  start: Start,
  found: Found,
  head: Buffer,
  examine: (start: Start) => Finding[],
): Finding[] {
  const shebang = parseShebang(head)
  if (shebang === undefined) return formatFinding(start, found, head)
  const { interpreter, argument } = shebang
  const [path = '', ...rest] = start.argv
  const argv = [
    absolute(interpreter, start.directory),
    ...(argument === undefined ? [] : [argument]),
    path,
    ...rest,
  ]
  return examine(
    leadsTo(start, argv, {
      rule: 'shebang',
      place: found.path,
      by: 'kernel',
      isFirst: start.isFirst ?? false,
    }),
  )
}
