import { withLabels } from '../image/labels.js'

import { openImage } from '../image/open.js'
import { fits, formatPlatform, platformOf } from '../image/platform.js'

import { pathInfo } from '../nix/cli.js'

import { UserError } from '../util/errors.js'

import { check } from './check.js'
import { tryOut } from './load.js'

/**
 * Opens images, and closes them when `work` is done. All of them before anything is done with the first: where one is not
 * what it should be, nothing is.
 * @throws UserError when one of them is no image, or is for another platform than it was built for
 */
export async function withImages(job, nix, images, work) {
  const opened = []
  try {
    for (const wanted of images) opened.push({ wanted, image: await open(job, nix, wanted) })
    job.signal.throwIfAborted()
    await work(opened)
  } finally {
    for (const { image } of opened) await image.close()
  }
}

/**
 * Inspects images, and gives this machine's own to the engine: to keep it, to test it.
 * @throws UserError when one of them would not work, or does not
 */
export async function examine(job, nix, engine, opened) {
  const images = opened.map(({ image }) => image)
  if (job.inputs.check !== 'off' && images.length > 0)
    await job.phases.time('inspect', () => check(job, nix, images))
  const examined = []
  for (const one of opened) {
    const isOwn = engine !== undefined && one.wanted.system === job.system
    examined.push(isOwn ? { ...one, id: await tryOut(job, engine, one.image) } : one)
  }
  return examined
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
