import { openImage } from '../image/open.js'
import { fits, formatPlatform, platformOf } from '../image/platform.js'

import { pathInfo } from '../nix/cli.js'

import { UserError } from '../util/errors.js'

import { childOf, noteKnown } from './known.js'
import { load } from './load.js'
import { whyUnpushed } from './login.js'
import { push } from './push.js'
import { isAlone, publishIndex } from './together.js'

/** Opens what was built, and gives it to whoever is to have it: the engine, then the registry. */
export async function publish(job, options) {
  const { inputs, context, phases, report, signal } = job
  const { cache, engine, registry, images, known } = options
  if (registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  if (engine === undefined && registry === undefined) return
  const children = known.map(childOf)
  if (registry !== undefined) noteKnown(job, registry, known)
  for (const wanted of images) {
    const image = await open(job, options.nix, wanted)
    try {
      signal.throwIfAborted()
      if (engine !== undefined && wanted.system === job.system)
        await phases.time('load', () => load(job, engine, image))
      if (registry !== undefined)
        children.push(await phases.time('push', () => push(job, { cache, registry, wanted, image })))
    } finally {
      await image.close()
    }
  }
  if (registry !== undefined && !isAlone(job))
    await phases.time('publish', () => publishIndex(job, registry, children))
}

async function open(job, nix, { path, system, evaluated }) {
  const { places, runner, signal } = job
  const platform = platformOf(system)
  const image = await openImage({
    ...{ path, scratch: places.scratch, env: nix.env, now: new Date(), log: runner, signal, platform },
    pathInfo: paths => pathInfo(nix, paths),
  })
  if (fits(image.platform, platform)) return image
  await image.close()
  throw new UserError(
    `${evaluated.installable.text} is an image for ${formatPlatform(image.platform)}, and was built as the one for ${system}: it would not start there.`,
    {
      advice:
        'If it is cross-compiled, name in `systems` what it is for, and the output with the system that builds it: .#packages.x86_64-linux.image. If not, correct the `architecture` in its definition.',
    },
  )
}
