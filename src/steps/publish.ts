import type { Evaluated } from '../build/flake.ts'
import type { OpenedCache } from '../cache/open.ts'
import { withLabels } from '../image/labels.ts'
import { openImage } from '../image/open.ts'
import { platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import type { Nix } from '../nix/model.ts'
import { type Engine, load } from './load.ts'
import { type Registry, whyUnpushed } from './login.ts'
import { push } from './push.ts'

/** Opens what was built, and gives it to whoever is to have it: the engine, then the registry. */
export async function publish(
  job: Job,
  options: {
    readonly nix: Nix
    readonly cache: OpenedCache
    readonly engine: Engine | undefined
    readonly registry: Registry | undefined
    readonly evaluated: Evaluated
    /** Store path of the image. */
    readonly path: string
  },
): Promise<void> {
  const { inputs, context, places, phases, runner, report, signal } = job
  const { nix, engine, registry, path } = options
  if (registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  if (engine === undefined && registry === undefined) return
  const opened = await openImage({
    ...{ path, scratch: places.scratch, env: nix.env, now: new Date(), log: runner, signal },
    pathInfo: paths => pathInfo(nix, paths),
    platform: platformOf(job.system),
  })
  const image = withLabels(opened, inputs.labels)
  try {
    signal.throwIfAborted()
    if (engine !== undefined) await phases.time('load', () => load(job, engine, image))
    if (registry !== undefined) await phases.time('push', () => push(job, { ...options, registry, image }))
  } finally {
    await image.close()
  }
}
