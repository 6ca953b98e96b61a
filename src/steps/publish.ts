import type { OpenedCache } from '../cache/open.ts'
import type { Job } from '../job.ts'
import type { OpenedImage } from './images.ts'
import { type Known, pushedBefore } from './known.ts'
import type { Registry } from './login.ts'
import { push } from './push.ts'
import { isAlone, publishIndex } from './together.ts'

/** Pushes images, and publishes them with those that need not be built. */
export async function publish(
  job: Job,
  options: {
    readonly cache: OpenedCache
    readonly registry: Registry
    readonly images: readonly OpenedImage[]
    readonly known: readonly Known[]
  },
): Promise<void> {
  const { cache, registry, images, known } = options
  const pushed = pushedBefore(job, registry, known)
  await job.phases.time('push', async () => {
    for (const one of images) pushed.push(await push(job, { cache, registry, ...one }))
  })
  if (!isAlone(job)) await job.phases.time('publish', () => publishIndex(job, registry, pushed))
}
