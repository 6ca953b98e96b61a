import { formatPlatform } from '../image/platform.js'

import { programs } from '../places.js'
import { pushImage } from '../registry/push.js'
import { annotation } from '../registry/records.js'
import { keysOf, outputKey, remember } from './known.js'

/** Pushes an image, and leaves to post what it and its layers became. */
export async function push(job, options) {
  const { inputs, places, runner, signal, report } = job
  const { cache, registry, evaluated, image } = options
  const { client, published } = registry
  const { compression, compressionLevel: level, tags } = inputs
  const { name } = client.repository
  const told = ({ memo, ...pushed }, set) => {
    job.save({ layers: Object.fromEntries(memo) })
    report.push = { ...pushed, ...set, name, platform: formatPlatform(image.platform) }
  }
  const pushed = await pushImage({
    ...{ client, published, image, compression, level, tags, signal, programs },
    annotations: { [annotation.image]: outputKey(job, evaluated.outPath) },
    memo: cache.index.layers,
    onPublished: pushed => told(pushed, { tags: [], tagged: [] }),
    scratch: places.scratch,
    log: runner,
  })
  told(pushed, { tags: tags.map(tag => `${name}:${tag}`), tagged: pushed.tagged })
  remember(job, registry, pushed.digest, await keysOf(job, evaluated))
}
