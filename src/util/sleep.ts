import { setTimeout } from 'node:timers/promises'

/** Waits; ends early, with its reason, when the signal aborts. */
export type Sleep = (milliseconds: number, signal?: AbortSignal) => Promise<void>

export const realSleep: Sleep = async (milliseconds, signal) => {
  await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal })
}
