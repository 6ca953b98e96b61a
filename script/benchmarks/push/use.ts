import { readdirSync, readFileSync } from 'node:fs'
import type { Machine } from '../../../__tests__/harness/machine.ts'

/** What it took to do something. */
export type Use = {
  /** Wall time. */
  readonly seconds: number
  /** Seconds of processor time. */
  readonly cpu: number
  /** Bytes of memory at the peak, of all processes together. */
  readonly peak: number
}

/** Between two looks at the memory, in milliseconds. */
const interval = 20

/** Runs something in a machine, in which nothing else runs, and measures it. */
export async function measureUse(machine: Machine, work: () => Promise<void>): Promise<Use> {
  const memory = new MemoryWatch(machine)
  const timer = setInterval(() => memory.look(), interval)
  try {
    const spent = cpuOf(machine)
    const began = performance.now()
    await work()
    const seconds = (performance.now() - began) / 1000
    return { seconds, cpu: cpuOf(machine) - spent, peak: memory.peak }
  } finally {
    clearInterval(timer)
  }
}

/**
 * The processes' memory together at its peak. Each knows its own peak, so that of a process alone is missed only where
 * it comes between the last look and the end.
 */
class MemoryWatch {
  readonly #machine: Machine
  peak = 0

  constructor(machine: Machine) {
    this.#machine = machine
  }

  look(): void {
    let together = 0
    for (const pid of processesOf(this.#machine)) {
      const status = readIfThere(this.#machine.path(`/proc/${pid}/status`))
      const [now = 0, most = 0] = ['VmRSS', 'VmHWM'].map(
        name => 1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0),
      )
      together += now
      this.peak = Math.max(this.peak, most)
    }
    this.peak = Math.max(this.peak, together)
  }
}

/** Of the machine's processes, of those that have ended, and of what this process has started there. */
function cpuOf(machine: Machine): number {
  const inside = [1, ...processesOf(machine)].map(pid => times(machine.path(`/proc/${pid}/stat`)))
  const [, , user, system] = times('/proc/self/stat')
  return [...inside.flat(), user ?? 0, system ?? 0].reduce((sum, ticks) => sum + ticks, 0) / 100
}

/** proc_pid_stat(5): utime, stime, cutime, cstime, in hundredths of a second. */
function times(file: string): number[] {
  const stat = readIfThere(file)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).map(Number)
}

/** All but the first, which does nothing. */
function processesOf(machine: Machine): string[] {
  return readdirSync(machine.path('/proc')).filter(name => /^\d+$/.test(name) && name !== '1')
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    // It has ended meanwhile.
    return ''
  }
}
