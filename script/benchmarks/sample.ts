import { readFileSync } from 'node:fs'
import type { CacheService } from '../../__tests__/harness/cache-service/service.ts'
import type { Machine } from '../../__tests__/harness/machine.ts'

/** One measurement. */
export type Sample = {
  /** Wall time from the start of the first process to the end of the last. */
  readonly seconds: number
  /** Seconds of processor time, without that of the service: what else the machine does changes it less than the other. */
  readonly cpu: number
  /** Requests that the cache service and its blob store got, in all. */
  readonly calls: number
  /** Entries that were begun to be saved, and blobs that were downloaded. */
  readonly uploads: number
  readonly downloads: number
  /** Bytes that went to the service and that came from it. */
  readonly sent: number
  readonly received: number
  /** Seconds of what the tool did, where it says so. */
  readonly phases: Readonly<Record<string, number>>
}

/**
 * Runs something in a machine and measures it.
 * @param service what it may use; nothing else uses it meanwhile
 */
export async function measure(
  machine: Machine,
  service: CacheService | undefined,
  work: () => Promise<Readonly<Record<string, number>> | undefined>,
): Promise<Sample> {
  service?.forget()
  const spent = cpuOfChildren(machine)
  const began = performance.now()
  const phases = (await work()) ?? {}
  const seconds = (performance.now() - began) / 1000
  const cpu = cpuOfChildren(machine) - spent
  const counts = service?.counts()
  const { calls = 0, bytesIn: sent = 0, bytesOut: received = 0 } = counts?.total ?? {}
  const uploads = counts?.CreateCacheEntry.calls ?? 0
  const downloads = counts?.DownloadBlob.calls ?? 0
  return { seconds, cpu, calls, uploads, downloads, sent, received, phases }
}

/** Of those that have ended: what this process has started, and what was left to the machine's first process. */
function cpuOfChildren(machine: Machine): number {
  return ['/proc/self/stat', machine.path('/proc/1/stat')]
    .map(file => readFileSync(file, 'utf8'))
    .reduce((sum, stat) => {
      // proc_pid_stat(5): 16th and 17th, the first two before these being the number and the name; in hundredths.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return sum + (Number(fields[13]) + Number(fields[14])) / 100
    }, 0)
}
