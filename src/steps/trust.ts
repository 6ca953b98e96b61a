import { existsSync } from 'node:fs'
import { type BaseImage, baseImages } from '../build/base-images.ts'
import { isPinned } from '../build/locked.ts'
import type { Build } from '../build/progress.ts'
import { isPure } from '../build/revision.ts'
import { lockedIn, lockFile } from '../build/source.ts'
import type { OpenedCache } from '../cache/open.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import { derivationText, parseWholeDerivation } from '../nix/derivation.ts'
import { evidenceOf, measureOf, sourcePath } from '../nix/evidence.ts'
import type { Nix } from '../nix/model.ts'
import { plainStore } from '../nix/store.ts'
import { isStoreOf, type Trust } from '../report.ts'
import { messageOf } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import type { Built } from './build.ts'

/** Tells what was built, and what it was built from, was held against, or taken on trust. Never throws. */
export async function tellTrust(job: Job, nix: Nix, cache: OpenedCache, built: Built): Promise<void> {
  try {
    const { builds } = built.done
    const { paths, keys, content } = await tellPaths(nix, cache, built)
    // What another machine sends is not held against a hash.
    const here = new Set(builds.filter(({ machine }) => machine === undefined).map(({ drvPath }) => drvPath))
    const isFixed = (drvPath: string) =>
      parseWholeDerivation(derivationText(drvPath) ?? '')?.fixed !== undefined
    const bases = basesOf(built).filter(({ drvPath, path }) => here.has(drvPath) || content.has(path))
    const others = here.difference(new Set(bases.map(({ drvPath }) => drvPath)))
    job.report.trust = {
      ...{ paths, keys, bases },
      ...(await tellInputs(job, built)),
      downloads: [...others].filter(isFixed).length,
      machines: byMachine(builds),
    }
  } catch (error) {
    job.runner.debug(`What was verified is not known: ${harmless(messageOf(error))}`)
  }
}

/** What came from elsewhere, by where from and by what vouches for it; and those paths for which their content does. */
async function tellPaths(nix: Nix, cache: OpenedCache, { brought, done }: Built) {
  const isOurs = isStoreOf(cache)
  const origins = new Map(brought.map(path => [path, 'cache']))
  for (const { path, store } of done.substitutions)
    origins.set(path, isOurs(store) ? 'cache' : plainStore(store))
  const content = new Set<string>()
  if (origins.size === 0) return { paths: [], keys: [], content }
  const [infos, measure] = await Promise.all([pathInfo(nix, [...origins.keys()]), measureOf(nix)])
  const told = new Map<string, Trust['paths'][number]>()
  const found = await Promise.all(
    [...infos].map(async ([path, info]) => [path, await evidenceOf(info, measure)] as const),
  )
  for (const [path, evidence] of found) {
    const from = origins.get(path) ?? ''
    if (evidence.by === 'content') content.add(path)
    const key = JSON.stringify([from, evidence])
    told.set(key, { from, ...evidence, paths: (told.get(key)?.paths ?? 0) + 1 })
  }
  const paths = [...told.values()].toSorted((a, b) => b.paths - a.paths)
  return { paths, keys: [...measure.keys.keys()], content }
}

/** Of all flakes that something was asked of, as they were when that was first done: Nix may write a lock file then. */
async function tellInputs(
  { inputs, env }: Job,
  { evaluated }: Built,
): Promise<Pick<Trust, 'locked' | 'unlocked' | 'pure'>> {
  const flakes = new Map<string, Built['evaluated'][number]>()
  for (const one of evaluated) {
    const { flake } = one.installable
    if (!flakes.has(flake)) flakes.set(flake, one)
  }
  const told = { locked: 0, unlocked: 0 }
  for (const { source, installable } of flakes.values()) {
    const lock = lockedIn((await lockFile(source))?.toString('utf8') ?? '')
    const hashes = new Set(lock.map(({ url, narHash }) => narHash && `${url} ${narHash}`))
    for (const { url, narHash } of source.locked) {
      const isLocked = narHash !== undefined && hashes.has(`${url} ${narHash}`)
      if (!isLocked) told.unlocked++
      // What was not needed was not fetched.
      else if (existsSync(sourcePath(narHash, '/nix/store'))) told.locked++
    }
    if (installable.directory === undefined && !isPinned(installable.flake)) told.unlocked++
  }
  return { ...told, pure: isPure(inputs.nixArgs, inputs.nixConf, env) }
}

function basesOf({ images }: Built): readonly BaseImage[] {
  const all = images.flatMap(({ evaluated }) => baseImages(evaluated.drvPath, derivationText))
  return [...new Map(all.map(base => [base.drvPath, base])).values()]
}

function byMachine(builds: readonly Build[]): Trust['machines'] {
  const remote = Map.groupBy(builds, ({ machine }) => machine && plainStore(machine))
  return [...remote].flatMap(([machine, { length }]) =>
    machine === undefined ? [] : { machine, builds: length },
  )
}
