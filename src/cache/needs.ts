import type { Derivation } from '../nix/derivation.ts'
import { reach } from './closure.ts'
import { type CachedPath, type CacheIndex, hashOf } from './model.ts'

/** A derivation of which some outputs are wanted. */
export type Wanted = { readonly drvPath: string; readonly outputs: readonly string[] }

/**
 * What Nix will take from the cache to have some outputs: where the cache has an output, that and all that it refers
 * to; where it has not, the derivation is built, so what that takes is wanted in turn. Reads only derivations that
 * are built and those they are made from directly.
 * @param options.isThere whether the store has a path
 * @param options.derivation undefined for one that cannot be read: then nothing is known of what it takes
 * @returns in no particular order
 */
export async function neededPaths(options: {
  readonly wanted: readonly Wanted[]
  readonly index: CacheIndex
  readonly isThere: (storePath: string) => boolean
  readonly derivation: (drvPath: string) => Promise<Derivation | undefined>
}): Promise<CachedPath[]> {
  const { index, isThere } = options
  const read = new Map<string, ReturnType<typeof options.derivation>>()
  const derivation = (drvPath: string) => {
    const known = read.get(drvPath) ?? options.derivation(drvPath)
    read.set(drvPath, known)
    return known
  }
  const roots = new Set<string>()
  const built = new Set<string>()
  const seen = new Set<string>()
  const queue: Wanted[] = [...options.wanted]
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
  const missing = (path: CachedPath) => !isThere(`/nix/store/${path.name}`)
  const needed = reach(roots, hash => {
    const path = index.paths.get(hash)
    return path !== undefined && missing(path) ? path.references.map(hashOf) : undefined
  })
  return [...needed].flatMap(hash => index.paths.get(hash) ?? [])
}
