import type { OpenedCache } from '../cache/open.ts'
import type { Job } from '../job.ts'
import type { Nix } from '../nix/model.ts'
import type { OpenedImage } from './images.ts'
import { type Known, pushedBefore } from './known.ts'
import { lookInto } from './look.ts'
import type { PushedImage, Registry } from './model.ts'
import { push } from './push.ts'
import { listWhile, writeSbom } from './sbom.ts'
import { isAlone, publishIndex } from './together.ts'

/** Pushes images, and publishes them with those that need not be built; writes down what they hold. */
export async function publish(
  job: Job,
  options: {
    readonly nix: Nix
    readonly cache: OpenedCache
    /** Undefined where nothing is pushed. */
    readonly registry: Registry | undefined
    readonly images: readonly OpenedImage[]
    readonly known: readonly Known[]
  },
): Promise<void> {
  const { inputs, phases } = job
  const { nix, cache, registry, images, known } = options
  const seen = inputs.sbom ? await phases.time('list the contents', () => lookInto(job, nix, images)) : []
  await listWhile(job, nix, seen, async listed => {
    const describe = async ({ wanted }: OpenedImage, pushed?: PushedImage) => {
      const found = (await listed).find(one => one.wanted === wanted)
      return found && (await phases.time('write the SBOM', () => writeSbom(job, found, pushed)))
    }
    if (registry === undefined) {
      for (const one of images) await describe(one)
      return
    }
    const all = pushedBefore(job, registry, known)
    await phases.time('push', async () => {
      for (const one of images)
        all.push(await push(job, { cache, registry, ...one, describe: pushed => describe(one, pushed) }))
    })
    if (!isAlone(job)) await phases.time('publish', () => publishIndex(job, registry, all))
  })
}
