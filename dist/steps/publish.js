import { pushedBefore } from './known.js'

import { lookInto } from './look.js'
import { push } from './push.js'
import { listWhile, writeSboms } from './sbom.js'
import { isAlone, publishIndex } from './together.js'

/** Pushes images, and publishes them with those that need not be built; writes down what they hold. */
export async function publish(job, options) {
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
