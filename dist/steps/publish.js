import { pushedBefore } from './known.js'
import { lookInto } from './look.js'

import { push } from './push.js'
import { listWhile, writeSbom } from './sbom.js'
import { isAlone, publishIndex } from './together.js'

/** Pushes images, and publishes them with those that need not be built; writes down what they hold. */
export async function publish(job, options) {
  const { inputs, phases } = job
  const { nix, cache, registry, images, known } = options
  const seen = inputs.sbom ? await phases.time('list the contents', () => lookInto(job, nix, images)) : []
  await listWhile(job, nix, seen, async listed => {
    const describe = async ({ wanted }, pushed) => {
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
