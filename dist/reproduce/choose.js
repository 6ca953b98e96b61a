import { readFile } from 'node:fs/promises'
import { isArchive } from '../image/open.js'
import { pathInfo } from '../nix/cli.js'
import { parseDerivation } from '../nix/derivation.js'

import { isSignedBy, othersKeys } from '../nix/signatures.js'

/**
 * What has to be built again to say that images are reproducible: their own derivations, and of all that they refer to
 * what was made by builds that nobody vouches for: here in this run, or in an earlier one that has left it in our
 * cache. An archive is compressed and so refers to nothing: there it is what the derivation was made from directly, and
 * all that this refers to.
 */
export async function choose(nix, roots) {
  const read = reader()
  const parts = []
  for (const { drvPath, path } of roots) {
    parts.push(path)
    if (!(await isArchive(path))) continue
    for (const input of (await read(drvPath))?.inputs ?? []) {
      const made = (await read(input.drvPath))?.outputs
      parts.push(...input.outputs.flatMap(name => made?.get(name) || []))
    }
  }
  // What was needed to build it need not be there where it came from a cache.
  const valid = await pathInfo(nix, [...new Set(parts)])
  const closure = await pathInfo(nix, [...valid.keys()], { recursive: true })
  const keys = await othersKeys(nix)
  const images = new Set(roots.map(({ path }) => path))
  const { made = [], ...sorted } = Object.groupBy(closure.values(), info =>
    images.has(info.path) ? 'made' : originOf(info, keys),
  )
  const pathsOf = (infos = []) => infos.map(({ path }) => path)
  const drvPaths = roots.map(({ drvPath }) => drvPath)
  const { candidates, orphans } = await producers(drvPaths, made, read)
  return { candidates, orphans, fixed: pathsOf(sorted.fixed), signed: pathsOf(sorted.signed) }
}

function originOf(info, keys) {
  if (info.ca !== undefined) return 'fixed'
  // A cache may have signed what was built here: then too it was here that it was built.
  return isSignedBy(info, keys) && !info.ultimate ? 'signed' : 'made'
}

function reader() {
  const known = new Map()
  return drvPath => {
    const reading = known.get(drvPath) ?? readFile(drvPath, 'utf8').then(parseDerivation, () => undefined)
    known.set(drvPath, reading)
    return reading
  }
}

/**
 * Finds the derivations that make some store paths: the derivers that the store knows, and where they are not here, since
 * what came from a cache may have been made by another one with the same output, those that the images are built from.
 */
async function producers(roots, paths, read) {
  const wanted = new Map(paths.map(info => [info.path, info]))
  const candidates = []
  const seen = new Set([...roots, ...paths.flatMap(({ deriver }) => deriver ?? [])])
  // A set gives what is added to it while it is gone through.
  for (const drvPath of seen) {
    if (wanted.size === 0) break
    const derivation = await read(drvPath)
    const outputs = [...(derivation?.outputs ?? [])].flatMap(([name, path]) => {
      const info = wanted.get(path)
      wanted.delete(path)
      return info === undefined ? [] : { name, info }
    })
    if (outputs.length > 0) candidates.push({ drvPath, outputs })
    for (const input of derivation?.inputs ?? []) seen.add(input.drvPath)
  }
  return { candidates, orphans: [...wanted.keys()] }
}
