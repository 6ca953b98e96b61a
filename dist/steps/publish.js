import { pushedBefore } from './known.js'

import { push } from './push.js'
import { isAlone, publishIndex } from './together.js'

/** Pushes images, and publishes them with those that need not be built. */
export async function publish(job, options) {
  const { cache, registry, images, known } = options
  const pushed = pushedBefore(job, registry, known)
  await job.phases.time('push', async () => {
    for (const one of images) pushed.push(await push(job, { cache, registry, ...one }))
  })
  if (!isAlone(job)) await job.phases.time('publish', () => publishIndex(job, registry, pushed))
}
