import type { Evaluated } from '../build/flake.ts'
import type { OpenedCache } from '../cache/open.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import { type Published, type Pushed, pushImage } from '../registry/push.ts'
import { annotation } from '../registry/records.ts'
import { keysOf, outputKey, remember } from './known.ts'
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
  const { name } = client.repository
  const told = (
    { memo, ...pushed }: Published,
    set: Pick<Pushed, 'tagged'> & { tags: readonly string[] },
  ) => {
    job.save({ layers: Object.fromEntries(memo) })
    report.push = { ...pushed, ...set, name, platform: formatPlatform(image.platform) }
  }
  const pushed = await pushImage({
    ...{ client, published, image, compression, level, tags, signal, programs },
    annotations: { ...inputs.annotations.manifest, [annotation.image]: outputKey(job, evaluated.outPath) },
    memo: cache.index.layers,
    onPublished: pushed => told(pushed, { tags: [], tagged: [] }),
    scratch: places.scratch,
    log: runner,
  })
  told(pushed, { tags: tags.map(tag => `${name}:${tag}`), tagged: pushed.tagged })
  remember(job, registry, pushed.digest, await keysOf(job, evaluated))
}
