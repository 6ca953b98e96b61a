import { type Evaluated, evaluate, type Realised, realise } from '../build/flake.ts'
import { isPattern } from '../build/installable.ts'
import { evaluatePattern } from '../build/patterns.ts'
import { type Progress, type Substitution, shortName } from '../build/progress.ts'
import { substitute } from '../build/substitute.ts'
import { bringPaths } from '../cache/bring.ts'
import type { OpenedCache } from '../cache/open.ts'
import { isStreamScript } from '../image/stream-script.ts'
import type { Job } from '../job.ts'
import type { Nix } from '../nix/model.ts'
import { exclude } from '../places.ts'
import { buildReport, cacheStatus } from '../report.ts'
import { count, formatBytes } from '../util/text.ts'

export type Built = {
  /** The image's store path; undefined when none was asked for. */
  readonly image: string | undefined
  readonly evaluated: readonly Evaluated[]
  readonly realised: Realised
  /** Store paths that came from the cache before Nix asked for them. */
  readonly brought: readonly string[]
}

/** Evaluates and builds the image and what is to be warm. */
export async function build(job: Job, nix: Nix, cache: OpenedCache): Promise<Built> {
  const { inputs, context, places, phases, report, runner, signal } = job
  const { image, warm } = inputs
  const common = { nix, workspace: context.workspace, args: inputs.nixArgs, log: runner }
  const sources: string[] = []
  const onSource = ({ path }: { readonly path: string }) => sources.push(path)
  const evaluated = await phases.time('evaluate', async () => {
    try {
      const results: Evaluated[] = []
      for (const installable of [...(image === undefined ? [] : [image]), ...warm]) {
        if (isPattern(installable))
          results.push(...(await evaluatePattern({ ...common, pattern: installable, onSource })))
        else results.push(await evaluate({ ...common, installable, onSource }))
      }
      return results
    } finally {
      // A checkout that does not evaluate is in the store as well.
      await exclude(places, sources)
    }
  })
  const outputs = image === undefined ? [] : Object.values(evaluated[0]?.outputs ?? {})
  await exclude(places, [...sources, ...outputs])
  signal.throwIfAborted()

  const { server, index } = cache
  const wanted = evaluated.map(({ drvPath, outputs }) => ({ drvPath, outputs: Object.keys(outputs) }))
  const early: Substitution[] = []
  const fetch = async (paths: readonly string[]) => {
    early.push(...(await substitute({ nix, paths, log: runner })))
  }
  const brought =
    server === undefined
      ? undefined
      : await phases.time('restore', () =>
          bringPaths(wanted, { nix, index, url: server.url, fetch, log: runner }),
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
  // A script is small and saves its own build; an archive is large, and in the registry.
  if (outPath !== undefined && (await isStreamScript(outPath))) await exclude(places, sources)
  return { image: outPath, evaluated, realised, brought: brought?.paths ?? [] }
}
