import type { Found } from '../../image/rootfs/model.ts'
import type { Finding, Subject } from '../model.ts'
import { isElf } from './elf.ts'
import { examineElf } from './examine-elf.ts'
import { examineScript } from './examine-script.ts'
import { readAt } from './file.ts'
import { lookUp } from './lookup.ts'
import { formatFinding, notStarted } from './not-started.ts'
import { shebangLength } from './shebang.ts'
import type { Start } from './start.ts'
import { startedBy } from './wrappers.ts'

/** A program that starts another, which starts another … : none that anybody means has as many. */
const mostStarts = 8

/**
 * Tells why a program will not start: it is not there, its user may not run it, its loader, a library, or the
 * interpreter of its script is missing, it is for another processor. So also for the programs that it starts in turn,
 * where that can be told.
 */
export function examineProgram(subject: Subject, start: Start): Finding[] {
  return examine(subject, start, mostStarts)
}

function examine(subject: Subject, start: Start, left: number): Finding[] {
  const [name] = start.argv
  if (name === undefined || left === 0) return []
  const path = start.unknown?.has('PATH') ? undefined : start.env.get('PATH')
  if (path === undefined && !name.includes('/')) return []
  const found = lookUp(subject.fs, name, { ...start, path: path ?? '' })
  if (found.is === 'mounted') return []
  if (found.is !== 'found') return [notStarted(subject, start, found)]
  const problems = examineFile(subject, start, found.found, left)
  if (problems.length > 0) return problems
  return startedBy(subject, start, found.found).flatMap(next =>
    'start' in next ? examine(subject, next.start, left - 1) : [next.finding],
  )
}

function examineFile(subject: Subject, start: Start, found: Found, left: number): Finding[] {
  const head = readAt(subject.fs, found)(0, shebangLength)
  if (isElf(head)) return examineElf(subject, start, found)
  if (head.toString('latin1', 0, 2) === '#!')
    return examineScript(subject, start, found, head, next => examine(subject, next, left - 1))
  return formatFinding(start, found, head)
}
