import { openImage } from '../image/open.js'
import { platformOf } from '../image/platform.js'

import { pathInfo } from '../nix/cli.js'

import { load } from './load.js'
import { whyUnpushed } from './login.js'
import { push } from './push.js'

/** Opens what was built, and gives it to whoever is to have it: the engine, then the registry. */
export async function publish(job, options) {
  const { inputs, context, places, phases, runner, report, signal } = job
  const { nix, engine, registry, path } = options
  if (registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  if (engine === undefined && registry === undefined) return
  const image = await openImage({
    ...{ path, scratch: places.scratch, env: nix.env, now: new Date(), log: runner, signal },
    pathInfo: paths => pathInfo(nix, paths),
    platform: platformOf(job.system),
  })
  try {
    signal.throwIfAborted()
    if (engine !== undefined) await phases.time('load', () => load(job, engine, image))
    if (registry !== undefined) await phases.time('push', () => push(job, { ...options, registry, image }))
  } finally {
    await image.close()
  }
}
