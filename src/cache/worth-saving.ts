import { type CacheIndex, hashOf } from './model.ts'
import type { Plan } from './policy/model.ts'

/** Seconds. A use that the index knows to be younger is not worth a new index: nothing is decided by it. */
const staleUse = 24 * 60 * 60

/** Whether the cache would know something by the new index that matters. */
export function isWorthSaving(now: {
  readonly current: CacheIndex
  readonly planned: Plan
  readonly adding: boolean
  /** Whether something else than paths was learned. */
  readonly learned: boolean
  readonly seconds: number
}): boolean {
  const { current, adding, learned, seconds } = now
  const { index } = now.planned
  if (learned || adding || index.paths.size !== current.paths.size) return true
  if (index.packs.size !== current.packs.size) return true
  return index.paths.values().some(({ name, lastUse }) => {
    return lastUse === seconds && (current.paths.get(hashOf(name))?.lastUse ?? 0) <= seconds - staleUse
  })
}
