import type { OpenedCache } from '../cache/open.ts'
import type { Job } from '../job.ts'
import type { Nix } from '../nix/model.ts'
import type { OpenedImage } from './images.ts'
import { type Known, pushedBefore } from './known.ts'
import type { Registry } from './login.ts'
import { lookInto } from './look.ts'
import { push } from './push.ts'
import { listWhile, writeSboms } from './sbom.ts'
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
  const seen = inputs.sbom ? await phases.time('look into the image', () => lookInto(job, nix, images)) : []
  const pushed = registry === undefined ? [] : pushedBefore(job, registry, known)
  const listed = await listWhile(job, nix, seen, async () => {
    if (registry === undefined) return
    await phases.time('push', async () => {
      for (const one of images) pushed.push(await push(job, { cache, registry, ...one }))
    })
  })
  if (inputs.sbom) await phases.time('write the SBOM', () => writeSboms(job, listed, pushed))
  if (registry !== undefined && !isAlone(job))
    await phases.time('publish', () => publishIndex(job, registry, pushed))
}
