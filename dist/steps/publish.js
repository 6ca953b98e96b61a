import { withLabels } from '../image/labels.js'

import { openImage } from '../image/open.js'
import { fits, formatPlatform, platformOf } from '../image/platform.js'

import { pathInfo } from '../nix/cli.js'

import { UserError } from '../util/errors.js'

import { check } from './check.js'
import { pushedBefore } from './known.js'
import { tryOut } from './load.js'
import { whyUnpushed } from './login.js'
import { push } from './push.js'
import { isAlone, publishIndex } from './together.js'

/** Opens what was built, inspects it, and gives it to whoever is to have it: the engine, then the registry. */
export async function publish(job, options) {
  const { inputs, context, phases, report, signal } = job
  const { cache, engine, registry, images, known } = options
  if (registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  if (engine === undefined && registry === undefined && inputs.check === 'off') return
  const opened = []
  try {
    // All of them before the first is pushed: where one is not what it should be, nothing is.
    for (const wanted of images) opened.push({ wanted, image: await open(job, options.nix, wanted) })
    signal.throwIfAborted()
    if (inputs.check !== 'off')
      await phases.time('inspect', () =>
        check(
          job,
          options.nix,
          opened.map(({ image }) => image),
        ),
      )
    const own = opened.find(({ wanted }) => wanted.system === job.system)
    const tried = engine && own && { ...own, id: await tryOut(job, engine, own.image) }
    if (registry === undefined) return
    const pushed = pushedBefore(job, registry, known)
    await phases.time('push', async () => {
      for (const one of opened) {
        const id = one.image === tried?.image ? tried.id : undefined
        pushed.push(await push(job, { cache, registry, id, ...one }))
      }
    })
    if (!isAlone(job)) await phases.time('publish', () => publishIndex(job, registry, pushed))
  } finally {
    for (const { image } of opened) await image.close()
  }
}

async function open(job, nix, { path, system, evaluated }) {
  const { places, runner, signal } = job
  const platform = platformOf(system)
  const image = await openImage({
    ...{ path, scratch: places.scratch, env: nix.env, now: new Date(), log: runner, signal, platform },
    pathInfo: paths => pathInfo(nix, paths),
  })
  if (fits(image.platform, platform)) return withLabels(image, job.inputs.labels)
  await image.close()
  throw new UserError(
    `${evaluated.installable.text} is an image for ${formatPlatform(image.platform)}, and was built as the one for ${system}: it would not start there.`,
    {
      advice:
        'If it is cross-compiled, name in `systems` what it is for, and the output with the system that builds it: .#packages.x86_64-linux.image. If not, correct the `architecture` in its definition.',
    },
  )
}
