/**
 * Finds the paths whose references can all be had, directly and through what they refer to.
 * @param references by path, what it refers to, in any form as long as it is the same one
 * @param elsewhere whether something that is not among the paths can be had from somewhere else
 * @returns the paths that can be kept
 */
export function closeReferences(references, elsewhere) {
  const lost = []
  for (const [path, needed] of references) {
    if (needed.some(reference => !references.has(reference) && !elsewhere(reference))) lost.push(path)
  }
  const kept = new Set(references.keys())
  if (lost.length === 0) return kept
  const referrers = new Map()
  for (const [path, needed] of references) {
    for (const reference of needed) {
      const list = referrers.get(reference)
      if (list === undefined) referrers.set(reference, [path])
      else list.push(path)
    }
  }
  for (let path = lost.pop(); path !== undefined; path = lost.pop()) {
    if (!kept.delete(path) || elsewhere(path)) continue
    for (const referrer of referrers.get(path) ?? []) lost.push(referrer)
  }
  return kept
}

/**
 * As `closeReferences`, and without paths that refer to each other in a circle: Nix makes none, and ends with a failed
 * assertion when a binary cache tells of some. A path may refer to itself.
 */
export function wellFounded(references, elsewhere) {
  const open = new Map()
  const referrers = new Map()
  const ready = []
  for (const [path, needed] of references) {
    let waits = 0
    for (const reference of needed) {
      if (reference === path || elsewhere(reference)) continue
      waits++
      const list = referrers.get(reference)
      if (list === undefined) referrers.set(reference, [path])
      else list.push(path)
    }
    if (waits === 0) ready.push(path)
    else open.set(path, waits)
  }
  const founded = new Set()
  for (let path = ready.pop(); path !== undefined; path = ready.pop()) {
    founded.add(path)
    for (const referrer of referrers.get(path) ?? []) {
      const left = (open.get(referrer) ?? 0) - 1
      open.set(referrer, left)
      if (left === 0) ready.push(referrer)
    }
  }
  return founded
}

/** `roots` and all that they refer to, as far as `referencesOf` knows; those it does not know are left out. */
export function reach(roots, referencesOf) {
  const reached = new Set()
  const queue = [...roots]
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (reached.has(path)) continue
    const references = referencesOf(path)
    if (references === undefined) continue
    reached.add(path)
    queue.push(...references)
  }
  return reached
}
