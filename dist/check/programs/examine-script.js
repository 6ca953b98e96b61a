import { absolute } from './access.js'
import { formatFinding } from './not-started.js'
import { parseShebang } from './shebang.js'
import { leadsTo } from './start.js'

/**
 * Tells why the kernel will not find who runs a script.
 * @param head the script's first bytes
 * @param examine tells of the interpreter, and of what that starts
 */
export function examineScript(start, found, head, examine) {
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
