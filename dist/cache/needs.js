import { reach } from './closure.js'
import { hashOf } from './model.js'

/**
 * What Nix will take from the cache to have some outputs: where the cache has an output, that and all that it refers
 * to; where it has not, the derivation is built, so what that takes is wanted in turn. Reads only derivations that
 * are built and those they are made from directly.
 * @param options.isThere whether the store has a path
 * @param options.derivation undefined for one that cannot be read: then nothing is known of what it takes
 * @returns in no particular order
 */
export async function neededPaths(options) {
  const { index, isThere } = options
  const read = new Map()
  const derivation = drvPath => {
    const known = read.get(drvPath) ?? options.derivation(drvPath)
    read.set(drvPath, known)
    return known
  }
  const roots = new Set()
  const built = new Set()
  const seen = new Set()
  const queue = [...options.wanted]
  for (let one = queue.pop(); one !== undefined; one = queue.pop()) {
    const made = await derivation(one.drvPath)
    if (made === undefined) continue
    for (const name of one.outputs) {
      const path = made.outputs.get(name) ?? ''
      if (path === '' || seen.has(path)) continue
      seen.add(path)
      if (isThere(path)) continue
      if (index.paths.has(hashOf(path))) roots.add(hashOf(path))
      else if (!built.has(one.drvPath)) {
        built.add(one.drvPath)
        queue.push(...made.inputs)
      }
    }
  }
  const missing = path => !isThere(`/nix/store/${path.name}`)
  const needed = reach(roots, hash => {
    const path = index.paths.get(hash)
    return path !== undefined && missing(path) ? path.references.map(hashOf) : undefined
  })
  return [...needed].flatMap(hash => index.paths.get(hash) ?? [])
}
