import { readdirSync, readFileSync } from 'node:fs'

/** Processes that a process has started, and that have not ended. */
export function childrenOf(parent: number): number[] {
  return readdirSync('/proc').flatMap(name => {
    const stat = /^\d+$/.test(name) ? statOf(name) : ''
    const [state, ppid] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(ppid) === parent && state !== 'Z' ? [Number(name)] : []
  })
}

/** Empty where the process has ended. */
function statOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return ''
  }
}
