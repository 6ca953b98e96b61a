import type { Found } from '../../image/rootfs/model.ts'
import type { Finding, Subject } from '../model.ts'
import { root, type User } from './account.ts'
import { isApplet } from './busybox.ts'
import { mayLook } from './effort.ts'
import { isElf } from './elf.ts'
import { examineElf } from './examine-elf.ts'
import { examineScript } from './examine-script.ts'
import { readAt } from './file.ts'
import { lookUp } from './lookup.ts'
import { closedToUser, formatFinding, notStarted, tooManyScripts } from './not-started.ts'
import { shebangLength } from './shebang.ts'
import { isPrivileged, type Start } from './start.ts'
import { startedBy } from './wrappers.ts'

/** A program that starts another, which starts another … : none that anybody means has as many. */
const mostStarts = 8
/** As in Linux. */
const mostScripts = 5

/**
 * Tells why a program will not start: it is not there, its user may not run it, its loader, a library, or the
 * interpreter of its script is missing, it is for another processor. So also for the programs that it starts in turn,
 * where that can be told.
 */
export function examineProgram(subject: Subject, start: Start): Finding[] {
  return examine(subject, start, { starts: 0, scripts: 0 })
}

/** How many programs have started this one, and how many scripts are its interpreter's. */
type Depth = { readonly starts: number; readonly scripts: number }

function examine(subject: Subject, start: Start, depth: Depth): Finding[] {
  const [name] = start.argv
  if (name === undefined || depth.starts > mostStarts) return []
  const path = start.unknown?.has('PATH') ? undefined : start.env.get('PATH')
  if (path === undefined && !name.includes('/')) return []
  if (!mayLook(subject.fs, name.includes('/') ? 1 : path?.split(':').length)) return []
  const look = (user: User) =>
    lookUp(subject.fs, name, { path: path ?? '', directory: start.directory, user })
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

function examineFile(subject: Subject, start: Start, found: Found, depth: Depth): Finding[] {
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
