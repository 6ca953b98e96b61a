import { type Evaluated, evaluate, type Realised, realise } from '../build/flake.ts'
import { isPattern } from '../build/installable.ts'
import { evaluatePattern } from '../build/patterns.ts'
import { type Progress, type Substitution, shortName } from '../build/progress.ts'
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

export type Built = {
  /** What was asked for as the image; undefined when nothing was. */
  readonly image: Evaluated | undefined
  /** Its store path. */
  readonly imagePath: string | undefined
  readonly evaluated: readonly Evaluated[]
  readonly realised: Realised
  /** Store paths that came from the cache before Nix asked for them. */
  readonly brought: readonly string[]
}

/** What is asked for, before anything is built. */
export type Wanted = {
  readonly image: Evaluated | undefined
  readonly warm: readonly Evaluated[]
  /** Store paths of the flakes' sources. */
  readonly sources: readonly string[]
}

/** Evaluates the image and what is to be warm. */
export async function evaluateAll(job: Job, nix: Nix): Promise<Wanted> {
  const { inputs, context, places, phases, runner, signal } = job
  const sources: string[] = []
  const onSource = ({ path }: FlakeSource) => sources.push(path)
  const options = {
    ...{ nix, onSource, workspace: context.workspace, args: inputs.nixArgs, log: runner },
  }
  const wanted = await phases.time('evaluate', async () => {
    try {
      const { image: installable } = inputs
      const image = installable && (await evaluate({ ...options, installable, asImage: true }))
      const warm: Evaluated[] = []
      for (const installable of inputs.warm) {
        if (isPattern(installable))
          warm.push(...(await evaluatePattern({ ...options, pattern: installable })))
        else warm.push(await evaluate({ ...options, installable }))
      }
      return { image, warm, sources }
    } finally {
      // A checkout that does not evaluate is in the store as well.
      await exclude(places, sources)
    }
  })
  signal.throwIfAborted()
  return wanted
}

/** Builds the image and what is to be warm. */
export async function build(job: Job, nix: Nix, cache: OpenedCache, wanted: Wanted): Promise<Built> {
  const { inputs, context, places, phases, report, runner, signal } = job
  const { image, warm, sources } = wanted
  const common = { nix, workspace: context.workspace, args: inputs.nixArgs, log: runner }
  const evaluated = [...(image === undefined ? [] : [image]), ...warm]
  if (evaluated.length === 0) {
    const realised = { outPaths: [], builds: [], substitutions: [], seconds: 0 }
    return { image, imagePath: undefined, evaluated, realised, brought: [] }
  }
  await exclude(places, [...sources, ...Object.values(image?.outputs ?? {})])

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
        undefined,
        cache,
        brought,
      )
    }),
  )
  const outPath = image === undefined ? undefined : realised.outPaths[0]
  job.save({ outPaths: [...realised.outPaths] })
  const substitutions = [...early, ...realised.substitutions]
  report.build = buildReport({ ...realised, substitutions }, outPath, cache, brought)
  if (report.cache !== undefined) report.cache.status = cacheStatus(cache, report.build)
  // A description is small, and names what the image is made of; an archive is large, and in the registry.
  if (outPath !== undefined && !(await isArchive(outPath))) await exclude(places, sources)
  return { image, imagePath: outPath, evaluated, realised, brought: brought?.paths ?? [] }
}
