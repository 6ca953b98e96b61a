import type { LayerMemo } from '../registry/model.ts'
import type { LayerUse } from './model.ts'

/** So many layers are remembered: an image has at most a hundred or so. */
const most = 5000

/** Seconds, as for paths: a use that is known to be younger is not worth a new index. */
const staleUse = 24 * 60 * 60

/**
 * Adds what this run saw of layers and forgets what was unused for longest, above a number. Pure.
 * @param now seconds since the epoch
 * @returns `learned`: whether there is something among it that is worth an index
 */
export function refreshLayers(
  known: ReadonlyMap<string, LayerUse>,
  seen: LayerMemo,
  now: number,
): { readonly layers: ReadonlyMap<string, LayerUse>; readonly learned: boolean } {
  const layers = new Map(known)
  for (const [key, layer] of seen) layers.set(key, { ...layer, lastUse: now })
  const learned = seen.entries().some(([key, { digest }]) => {
    const old = known.get(key)
    return old === undefined || old.digest !== digest || old.lastUse <= now - staleUse
  })
  const newestFirst = [...layers].sort(([, a], [, b]) => b.lastUse - a.lastUse)
  return { layers: new Map(newestFirst.slice(0, most)), learned }
}
