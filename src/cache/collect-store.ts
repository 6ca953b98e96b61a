import { pathInfo } from '../nix/cli.ts'
import { deadPaths, deletePaths } from '../nix/garbage.ts'
import type { Nix } from '../nix/model.ts'
import { toCollect } from './collect.ts'
import { readIndex } from './index-file.ts'
import { openedIndexFile } from './indexes.ts'
import { jobPaths } from './job-paths.ts'
import { emptyIndex } from './model.ts'
import { savedSeconds } from './value.ts'

export type Collected = {
  readonly paths: number
  /** Bytes of the NARs. */
  readonly bytes: number
  /** Why less was deleted than should have been. */
  readonly problem?: string
}

/**
 * Brings a store that outlives its jobs within the bound of the cache.
 * @throws Error when Nix does not answer; nothing was deleted then
 */
export async function collectStore(options: {
  readonly nix: Nix
  /** The action's own folder in RUNNER_TEMP. */
  readonly folder: string
  /** Seconds since the epoch: what was registered since is this job's, or of one that runs beside it. */
  readonly started: number
  /** Store paths of Nix itself. */
  readonly closure: readonly string[]
  /** Seconds that derivations took to build, by store path of the derivation. */
  readonly costs: Readonly<Record<string, number>>
  /** Store paths that the job was after. */
  readonly outPaths: readonly string[]
  /** Bytes that the store may hold, as they would be compressed. */
  readonly limit: number
  /** Seconds since the epoch. */
  readonly now: number
}): Promise<Collected> {
  const { nix, started } = options
  const valid = await pathInfo(nix, 'all')
  for (const path of options.closure) valid.delete(path)
  const dead = await deadPaths(nix)
  const { index = emptyIndex } = await readIndex(openedIndexFile(options.folder))
  const recent = valid.values().filter(({ registrationTime }) => registrationTime >= started)
  // What was there before and what this job was built with shows no other trace of its use.
  const built = Object.keys(options.costs)
  const ofJob = await jobPaths({ valid, outPaths: options.outPaths, built, served: [] })
  const used = ofJob.union(new Set(recent.map(({ path }) => path)))
  const paths = toCollect({ ...options, valid, dead, index, used, worth: savedSeconds })
  if (paths.length === 0) return { paths: 0, bytes: 0 }
  const problem = await deletePaths(nix, paths)
  const left = await pathInfo(nix, paths)
  const gone = paths.filter(path => !left.has(path))
  const bytes = gone.reduce((sum, path) => sum + (valid.get(path)?.narSize ?? 0), 0)
  return { paths: gone.length, bytes, ...(problem === undefined ? {} : { problem }) }
}
