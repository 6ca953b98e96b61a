import { type Evaluated, evaluate, type Realised, realise } from '../build/flake.ts'
import { isPattern } from '../build/installable.ts'
import { evaluatePattern } from '../build/patterns.ts'
import { type Build, type Progress, type Substitution, shortName } from '../build/progress.ts'
import type { FlakeSource } from '../build/source.ts'
import { substitute } from '../build/substitute.ts'
import { bringPaths } from '../cache/bring.ts'
import type { OpenedCache } from '../cache/open.ts'
import { isArchive } from '../image/open.ts'
import type { Job } from '../job.ts'
import type { Nix } from '../nix/model.ts'
import { exclude } from '../places.ts'
import { buildReport, cacheStatus } from '../report.ts'
import { count, formatBytes } from '../util/text.ts'

/** What was asked for as the image, for one of the systems. */
export type WantedImage = { readonly system: string; readonly evaluated: Evaluated }

export type BuiltImage = WantedImage & {
  /** Its store path. */
  readonly path: string
}

export type Built = {
  readonly images: readonly BuiltImage[]
  readonly evaluated: readonly Evaluated[]
  readonly realised: Realised
  /** Store paths that came from the cache before Nix asked for them. */
  readonly brought: readonly string[]
  /** All that was built and fetched, what evaluation needed included. */
  readonly done: { readonly builds: readonly Build[]; readonly substitutions: readonly Substitution[] }
}

/** What is asked for, before anything is built. */
export type Wanted = {
  readonly images: readonly WantedImage[]
  readonly warm: readonly Evaluated[]
  /** Store paths of the flakes' sources. */
  readonly sources: readonly string[]
  /** What evaluation itself had to build and to fetch. */
  readonly imported: readonly Progress[]
}

/** Evaluates the image and what is to be warm, for each system. */
export async function evaluateAll(job: Job, nix: Nix): Promise<Wanted> {
  const { inputs, context, places, phases, runner, signal } = job
  const sources: string[] = []
  const onSource = ({ path }: FlakeSource) => sources.push(path)
  const imported = new Set<Progress>()
  const onProgress = (progress: Progress) => imported.add(progress)
  const options = {
    ...{ nix, onSource, onProgress, workspace: context.workspace, args: inputs.nixArgs, log: runner },
  }
  const wanted = await phases.time('evaluate', async () => {
    try {
      const { image: installable } = inputs
      const images: WantedImage[] = []
      const warm = new Map<string, Evaluated>()
      for (const system of inputs.systems) {
        const common = { ...options, system }
        if (installable !== undefined)
          images.push({ system, evaluated: await evaluate({ ...common, installable, asImage: true }) })
        for (const installable of inputs.warm) {
          const found = isPattern(installable)
            ? await evaluatePattern({ ...common, pattern: installable })
            : [await evaluate({ ...common, installable })]
          // What names its system is the same for all.
          for (const one of found) if (!warm.has(one.drvPath)) warm.set(one.drvPath, one)
        }
      }
      return { images, warm: [...warm.values()], sources, imported: [...imported] }
    } finally {
      // A checkout that does not evaluate is in the store as well.
      await exclude(places, sources)
    }
  })
  signal.throwIfAborted()
  return wanted
}

/** Builds the images and what is to be warm. */
export async function build(job: Job, nix: Nix, cache: OpenedCache, wanted: Wanted): Promise<Built> {
  const { inputs, context, places, phases, report, runner, signal } = job
  const { images, warm, sources } = wanted
  const common = { nix, workspace: context.workspace, args: inputs.nixArgs, log: runner }
  const evaluated = [...images.map(({ evaluated }) => evaluated), ...warm]
  if (evaluated.length === 0) {
    const realised = { outPaths: [], builds: [], substitutions: [], seconds: 0 }
    return { images: [], evaluated, realised, brought: [], done: realised }
  }
  await exclude(places, [...sources, ...images.flatMap(({ evaluated }) => Object.values(evaluated.outputs))])

  const { server, index } = cache
  const needed = evaluated.map(({ drvPath, outputs }) => ({ drvPath, outputs: Object.keys(outputs) }))
  const early: Substitution[] = []
  const fetch = async (paths: readonly string[]) => {
    early.push(...(await substitute({ nix, paths, log: runner })))
  }
  const brought =
    server === undefined
      ? undefined
      : await phases.time('restore', () =>
          bringPaths(needed, { nix, index, url: server.url, fetch, log: runner }),
        )
  if (brought !== undefined && brought.paths.length > 0)
    runner.info(
      `Brought ${count(brought.paths.length, 'path')} from the cache (${formatBytes(brought.bytes)})`,
    )
  signal.throwIfAborted()
  let progress: Progress | undefined
  const realised = await phases.time('build', () =>
    realise({
      ...common,
      evaluated,
      scratch: places.scratch,
      ...(server === undefined ? {} : { cacheUrl: server.url }),
      onProgress: now => {
        progress = now
      },
    }).finally(() => {
      // Also of a build that failed in the end.
      if (progress === undefined) return
      const { builds, substitutions, failed } = progress
      job.save({ costs: Object.fromEntries(builds.map(({ drvPath, seconds }) => [drvPath, seconds])) })
      report.build = buildReport(
        {
          builds,
          substitutions: [...early, ...substitutions.values()],
          failed: [...failed].map(shortName),
        },
        [],
        cache,
        brought,
      )
    }),
  )
  const built = images.flatMap((image, at) => {
    const path = realised.outPaths[at]
    return path === undefined ? [] : { ...image, path }
  })
  job.save({ outPaths: [...realised.outPaths] })
  const substitutions = [...early, ...realised.substitutions]
  const outPaths = built.map(({ path }) => path)
  report.build = buildReport({ ...realised, substitutions }, outPaths, cache, brought)
  if (report.cache !== undefined) report.cache.status = cacheStatus(cache, report.build)
  // A description is small, and names what the image is made of; an archive is large, and in the registry.
  const archives: string[] = []
  for (const { path, evaluated } of built)
    if (await isArchive(path)) archives.push(...Object.values(evaluated.outputs))
  if (built.length > 0) await exclude(places, [...sources, ...archives])
  const done = {
    builds: [...wanted.imported.flatMap(({ builds }) => builds), ...realised.builds],
    substitutions: [
      ...wanted.imported.flatMap(({ substitutions }) => [...substitutions.values()]),
      ...substitutions,
    ],
  }
  return { images: built, evaluated, realised, brought: brought?.paths ?? [], done }
}
