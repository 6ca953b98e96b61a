import type { Evaluated } from '../build/flake.ts'
import type { OpenedCache } from '../cache/open.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import { pushImage } from '../registry/push.ts'
import { annotation } from '../registry/records.ts'
import { outputKey, remember, warnOfNoTag } from './known.ts'
import type { Registry } from './login.ts'

/** Pushes an image, and leaves to post what it and its layers became. */
export async function push(
  job: Job,
  options: {
    readonly cache: OpenedCache
    readonly registry: Registry
    readonly evaluated: Evaluated
    readonly image: Image
  },
): Promise<void> {
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
