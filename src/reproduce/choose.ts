import { readFile } from 'node:fs/promises'
import { isArchive } from '../image/open.ts'
import { pathInfo } from '../nix/cli.ts'
import { type Derivation, parseDerivation } from '../nix/derivation.ts'
import type { Nix, PathInfo } from '../nix/model.ts'
import { isSignedBy, othersKeys } from '../nix/signatures.ts'

/** A derivation that is to be built again, with those of its outputs that the image is made from. */
export type Candidate = {
  readonly drvPath: string
  readonly outputs: readonly { readonly name: string; readonly info: PathInfo }[]
}

export type Choice = {
  /** The images' own first. */
  readonly candidates: readonly Candidate[]
  /** Store paths that Nix holds to the hash of their content. */
  readonly fixed: readonly string[]
  /** Store paths that a binary cache has signed, by a key that Nix trusts. */
  readonly signed: readonly string[]
  /** Store paths that nobody vouches for, and that no derivation which is here makes. */
  readonly orphans: readonly string[]
}

export type Root = {
  readonly drvPath: string
  /** Store path of the image. */
  readonly path: string
}

/**
 * What has to be built again to say that images are reproducible: their own derivations, and of all that they refer to
 * what was made by builds that nobody vouches for: here in this run, or in an earlier one that has left it in our
 * cache. An archive is compressed and so refers to nothing: there it is what the derivation was made from directly, and
 * all that this refers to.
 */
export async function choose(nix: Nix, roots: readonly Root[]): Promise<Choice> {
  const read = reader()
  const parts: string[] = []
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
  const pathsOf = (infos: readonly PathInfo[] = []) => infos.map(({ path }) => path)
  const drvPaths = roots.map(({ drvPath }) => drvPath)
  const { candidates, orphans } = await producers(drvPaths, made, read)
  return { candidates, orphans, fixed: pathsOf(sorted.fixed), signed: pathsOf(sorted.signed) }
}

function originOf(info: PathInfo, keys: ReadonlySet<string>): 'fixed' | 'signed' | 'made' {
  if (info.ca !== undefined) return 'fixed'
  // A cache may have signed what was built here: then too it was here that it was built.
  return isSignedBy(info, keys) && !info.ultimate ? 'signed' : 'made'
}

type Read = (drvPath: string) => Promise<Derivation | undefined>

function reader(): Read {
  const known = new Map<string, Promise<Derivation | undefined>>()
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
async function producers(roots: readonly string[], paths: readonly PathInfo[], read: Read) {
  const wanted = new Map(paths.map(info => [info.path, info]))
  const candidates: Candidate[] = []
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
