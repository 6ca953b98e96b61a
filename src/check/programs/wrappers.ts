import type { Found } from '../../image/rootfs/model.ts'
import type { Finding, Subject } from '../model.ts'
import type { Start } from './start.ts'

export function startedBy(
  _subject: Subject,
  _start: Start,
  _found: Found,
): ({ start: Start } | { finding: Finding })[] {
  return []
}
