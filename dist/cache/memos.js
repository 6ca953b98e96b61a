/** So many of a kind are remembered: an image has at most a hundred layers or so. */
const most = 5000

/** Seconds, as for paths: a use that is known to be younger is not worth a new index. */
const staleUse = 24 * 60 * 60

/**
 * Adds what this run saw of layers or images and forgets what was unused for longest, above a number. Pure.
 * @param now seconds since the epoch
 * @returns `learned`: whether there is something among it that is worth an index
 */
export function refreshMemo(known, seen, now) {
  const memo = new Map(known)
  for (const [key, value] of seen) memo.set(key, { ...value, lastUse: now })
  const learned = seen.entries().some(([key, { digest }]) => {
    const old = known.get(key)
    return old === undefined || old.digest !== digest || old.lastUse <= now - staleUse
  })
  const newestFirst = [...memo].sort(([, a], [, b]) => b.lastUse - a.lastUse)
  return { memo: new Map(newestFirst.slice(0, most)), learned }
}

/** What either knows; of what both know the one that was used last, and else the smaller digest. */
export function mergeMemos(a, b) {
  const merged = new Map(a)
  for (const [key, value] of b) {
    const other = merged.get(key)
    merged.set(key, other === undefined || isNewer(value, other) ? value : other)
  }
  return merged
}

function isNewer(a, b) {
  return a.lastUse === b.lastUse ? a.digest < b.digest : a.lastUse > b.lastUse
}
