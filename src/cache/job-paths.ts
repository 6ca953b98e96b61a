import { readFile } from 'node:fs/promises'
import { parseDerivation } from '../nix/derivation.ts'
import type { PathInfo } from '../nix/model.ts'
import { reach } from './closure.ts'
import { hashOf } from './model.ts'

/**
 * What a job made or used, where the store is not the job's alone and the time of registration says nothing: what it
 * built and what that was built from, what it took from the cache, and what it was after, with all that those refer
 * to. Other jobs' paths may hold what nobody else is to see.
 * @param options.built store paths of the derivations that were built
 * @param options.served hashes of paths that came from the cache
 * @param options.readDerivation the text of a `.drv` file; undefined when it is not there any more
 * @returns store paths, valid ones only
 */
export async function jobPaths(options: {
  readonly valid: ReadonlyMap<string, PathInfo>
  readonly outPaths: readonly string[]
  readonly built: readonly string[]
  readonly served: readonly string[]
  /** @default from the store */
  readonly readDerivation?: (drvPath: string) => Promise<string | undefined>
}): Promise<Set<string>> {
  const { valid, outPaths, built, readDerivation = fromStore } = options
  const read = async (drvPath: string) => {
    const text = await readDerivation(drvPath)
    return text === undefined ? undefined : parseDerivation(text)
  }
  const roots = new Set(outPaths)
  for (const drvPath of built) {
    const made = await read(drvPath)
    for (const path of made?.outputs.values() ?? []) roots.add(path)
    for (const input of made?.inputs ?? []) {
      const outputs = (await read(input.drvPath))?.outputs
      for (const name of input.outputs) roots.add(outputs?.get(name) ?? '')
    }
    for (const path of made?.sources ?? []) roots.add(path)
  }
  const served = new Set(options.served)
  for (const path of valid.keys()) if (served.has(hashOf(path))) roots.add(path)
  return reach(roots, path => valid.get(path)?.references)
}

function fromStore(drvPath: string): Promise<string | undefined> {
  return readFile(drvPath, 'utf8').catch(() => undefined)
}
