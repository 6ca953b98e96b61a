import { pathInfo } from '../nix/cli.js'
import { deadPaths, deletePaths } from '../nix/garbage.js'

import { toCollect } from './collect.js'
import { readIndex } from './index-file.js'
import { openedIndexFile } from './indexes.js'
import { jobPaths } from './job-paths.js'
import { emptyIndex } from './model.js'
import { savedSeconds } from './value.js'

/**
 * Brings a store that outlives its jobs within the bound of the cache.
 * @throws Error when Nix does not answer; nothing was deleted then
 */
export async function collectStore(options) {
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
