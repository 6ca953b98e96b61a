/** Runs the steps of its one argument with the real client and writes what they give to file descriptor 3. */
import { writeSync } from 'node:fs'
import { restoreCache, saveCache } from '@actions/cache'
import type { Outcome, Step } from './job.ts'

const steps: Step[] = JSON.parse(process.argv[2] ?? '[]')

for (const step of steps) {
  Object.assign(process.env, step.env)
  report({ outcome: await outcomeOf(step) })
}
report({ peakMemory: process.resourceUsage().maxRSS * 1024 })

async function outcomeOf(step: Step): Promise<Outcome> {
  try {
    if ('save' in step) return await saveCache([...step.save], step.key)
    const { restore, key, restoreKeys = [], lookupOnly = false } = step
    return (await restoreCache([...restore], key, [...restoreKeys], { lookupOnly })) ?? null
  } catch (error) {
    const { name, message } = error as Error
    return { name, message }
  }
}

function report(line: { outcome: Outcome } | { peakMemory: number }): void {
  writeSync(3, `${JSON.stringify(line)}\n`)
}
