import type { Engine } from '../container/model.ts'
import { withLabels } from '../image/labels.ts'
import type { Image } from '../image/model.ts'
import { openImage } from '../image/open.ts'
import { fits, formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import type { Nix } from '../nix/model.ts'
import type { Digest } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import type { BuiltImage } from './build.ts'
import { check } from './check.ts'
import { tryOut } from './load.ts'

export type OpenedImage = {
  readonly wanted: BuiltImage
  readonly image: Image
  /** sha256 of the config that it was loaded or tested with. */
  readonly id?: Digest
}

/**
 * Opens images, and closes them when `work` is done. All of them before anything is done with the first: where one is not
 * what it should be, nothing is.
 * @throws UserError when one of them is no image, or is for another platform than it was built for
 */
export async function withImages(
  job: Job,
  nix: Nix,
  images: readonly BuiltImage[],
  work: (opened: readonly OpenedImage[]) => Promise<void>,
): Promise<void> {
  const opened: OpenedImage[] = []
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
export async function examine(
  job: Job,
  nix: Nix,
  engine: Engine | undefined,
  opened: readonly OpenedImage[],
): Promise<readonly OpenedImage[]> {
  const images = opened.map(({ image }) => image)
  if (job.inputs.check !== 'off' && images.length > 0)
    await job.phases.time('inspect', () => check(job, nix, images))
  const examined: OpenedImage[] = []
  for (const one of opened) {
    const isOwn = engine !== undefined && one.wanted.system === job.system
    examined.push(isOwn ? { ...one, id: await tryOut(job, engine, one.image) } : one)
  }
  return examined
}

async function open(job: Job, nix: Nix, { path, system, evaluated }: BuiltImage): Promise<Image> {
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
