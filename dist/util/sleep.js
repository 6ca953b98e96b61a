import { setTimeout } from 'node:timers/promises'

export const realSleep = async (milliseconds, signal) => {
  await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal })
}
