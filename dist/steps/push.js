import { formatPlatform } from '../image/platform.js'

import { programs } from '../places.js'
import { pushImage } from '../registry/push.js'
import { annotation } from '../registry/records.js'
import { outputKey, remember, warnOfNoTag } from './known.js'

/** Pushes an image, and leaves to post what it and its layers became. */
export async function push(job, options) {
  const { inputs, places, runner, signal, report } = job
  const { cache, registry, evaluated, image } = options
  const { client, published } = registry
  const { compression, compressionLevel: level, tags } = inputs
  warnOfNoTag(job)
  const { memo, ...pushed } = await pushImage({
    ...{ client, published, image, compression, level, tags, signal },
    annotations: { [annotation.image]: outputKey(job, evaluated.outPath) },
    memo: cache.index.layers,
    programs,
    scratch: places.scratch,
    log: runner,
  })
  job.save({ layers: Object.fromEntries(memo) })
  await remember(job, registry, pushed.digest, evaluated)
  const { name } = client.repository
  report.push = {
    ...pushed,
    name,
    tags: tags.map(tag => `${name}:${tag}`),
    platform: formatPlatform(image.platform),
  }
}
