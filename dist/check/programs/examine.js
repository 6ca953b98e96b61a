import { root } from './account.js'
import { isApplet } from './busybox.js'
import { mayLook } from './effort.js'
import { isElf } from './elf.js'
import { examineElf } from './examine-elf.js'
import { examineScript } from './examine-script.js'
import { readAt } from './file.js'
import { lookUp } from './lookup.js'
import { closedToUser, formatFinding, notStarted, tooManyScripts } from './not-started.js'
import { shebangLength } from './shebang.js'
import { isPrivileged } from './start.js'
import { startedBy } from './wrappers.js'

/** A program that starts another, which starts another … : none that anybody means has as many. */
const mostStarts = 8
/** As in Linux. */
const mostScripts = 5

/**
 * Tells why a program will not start: it is not there, its user may not run it, its loader, a library, or the
 * interpreter of its script is missing, it is for another processor. So also for the programs that it starts in turn,
 * where that can be told.
 */
export function examineProgram(subject, start) {
  return examine(subject, start, { starts: 0, scripts: 0 })
}

function examine(subject, start, depth) {
  const [name] = start.argv
  if (name === undefined || depth.starts > mostStarts) return []
  const path = start.unknown?.has('PATH') ? undefined : start.env.get('PATH')
  if (path === undefined && !name.includes('/')) return []
  if (!mayLook(subject.fs, name.includes('/') ? 1 : path?.split(':').length)) return []
  const look = user => lookUp(subject.fs, name, { path: path ?? '', directory: start.directory, user })
  const byUser = look(start.user)
  const found = isPrivileged(start) ? look(root) : byUser
  if (found.is === 'mounted' || byUser.is === 'mounted') return []
  if (found.is !== 'found') return isApplet(subject, start, name) ? [] : [notStarted(subject, start, found)]
  const closed = byUser.is === 'found' ? [] : [closedToUser(subject, start, byUser)]
  const problems = examineFile(subject, start, found.found, depth)
  if (problems.length > 0) return [...closed, ...problems]
  const told = startedBy(subject, start, found.found).flatMap(next =>
    'start' in next ? examine(subject, next.start, { starts: depth.starts + 1, scripts: 0 }) : [next.finding],
  )
  return [...closed, ...told]
}

function examineFile(subject, start, found, depth) {
  const head = readAt(subject.fs, found)(0, shebangLength)
  if (isElf(head)) return examineElf(subject, start, found)
  if (head.toString('latin1', 0, 2) === '#!')
    return depth.scripts === mostScripts
      ? [tooManyScripts(start, found)]
      : examineScript(start, found, head, next =>
          examine(subject, next, { ...depth, scripts: depth.scripts + 1 }),
        )
  return formatFinding(start, found, head)
}
