import type { OpenedCache } from '../cache/open.ts'
import type { Engine } from '../container/model.ts'
import { withLabels } from '../image/labels.ts'
import type { Image } from '../image/model.ts'
import { openImage } from '../image/open.ts'
import { fits, formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import type { Nix } from '../nix/model.ts'
import { UserError } from '../util/errors.ts'
import type { BuiltImage } from './build.ts'
import { type Known, pushedBefore } from './known.ts'
import { tryOut } from './load.ts'
import { type Registry, whyUnpushed } from './login.ts'
import { lookInto, type Opened } from './look.ts'
import { push } from './push.ts'
import { listWhile, writeSboms } from './sbom.ts'
import { isAlone, publishIndex } from './together.ts'

/** Opens what was built, inspects it, and gives it to whoever is to have it: the engine, then the registry. */
export async function publish(
  job: Job,
  options: {
    readonly nix: Nix
    readonly cache: OpenedCache
    readonly engine: Engine | undefined
    readonly registry: Registry | undefined
    readonly images: readonly BuiltImage[]
    /** Those that need not be built. */
    readonly known: readonly Known[]
  },
): Promise<void> {
  const { inputs, context, phases, report, signal } = job
  const { cache, engine, registry, images, known } = options
  if (registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  if (engine === undefined && registry === undefined && inputs.check === 'off' && !inputs.sbom) return
  const opened: Opened[] = []
  try {
    // All of them before the first is pushed: where one is not what it should be, nothing is.
    for (const wanted of images) opened.push({ wanted, image: await open(job, options.nix, wanted) })
    signal.throwIfAborted()
    const seen =
      inputs.check === 'off' && !inputs.sbom
        ? []
        : await phases.time('inspect', () => lookInto(job, options.nix, opened))
    const own = opened.find(({ wanted }) => wanted.system === job.system)
    const tried = engine && own && { ...own, id: await tryOut(job, engine, own.image) }
    const pushed = registry === undefined ? [] : pushedBefore(job, registry, known)
    const listed = await listWhile(job, options.nix, seen, async () => {
      if (registry === undefined) return
      await phases.time('push', async () => {
        for (const one of opened) {
          const id = one.image === tried?.image ? tried.id : undefined
          pushed.push(await push(job, { cache, registry, id, ...one }))
        }
      })
    })
    if (inputs.sbom) await phases.time('write the SBOM', () => writeSboms(job, listed, pushed))
    if (registry !== undefined && !isAlone(job))
      await phases.time('publish', () => publishIndex(job, registry, pushed))
  } finally {
    for (const { image } of opened) await image.close()
  }
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
