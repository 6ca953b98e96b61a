import { evaluate, realise } from '../build/flake.js'
import { isPattern } from '../build/installable.js'
import { evaluatePattern } from '../build/patterns.js'
import { shortName } from '../build/progress.js'

import { substitute } from '../build/substitute.js'
import { bringPaths } from '../cache/bring.js'

import { isArchive } from '../image/open.js'

import { exclude } from '../places.js'
import { buildReport, cacheStatus } from '../report.js'
import { count, formatBytes } from '../util/text.js'

/** Evaluates the image and what is to be warm. */
export async function evaluateAll(job, nix) {
  const { inputs, context, places, phases, runner, signal } = job
  const sources = []
  const onSource = ({ path }) => sources.push(path)
  const options = {
    ...{ nix, onSource, workspace: context.workspace, args: inputs.nixArgs, log: runner },
  }
  const wanted = await phases.time('evaluate', async () => {
    try {
      const { image: installable } = inputs
      const image = installable && (await evaluate({ ...options, installable, asImage: true }))
      const warm = []
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
export async function build(job, nix, cache, wanted) {
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
  const early = []
  const fetch = async paths => {
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
  let progress
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
