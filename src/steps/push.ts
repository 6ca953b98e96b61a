import type { OpenedCache } from '../cache/open.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import type { Child } from '../registry/image-index.ts'
import { manifestMediaType } from '../registry/manifest.ts'
import { type Published, pushImage } from '../registry/push.ts'
import { annotation } from '../registry/records.ts'
import type { WantedImage } from './build.ts'
import { keysOf, outputKey, remember } from './known.ts'
import type { Registry } from './login.ts'
import { isAlone, noteImage, noteTags, tagsToSet } from './together.ts'

/** Pushes an image, and leaves to post what it and its layers became. The only one is tagged, too. */
export async function push(
  job: Job,
  options: {
    readonly cache: OpenedCache
    readonly registry: Registry
    readonly wanted: WantedImage
    readonly image: Image
  },
): Promise<Child> {
  const { inputs, places, runner, signal } = job
  const { cache, registry, wanted, image } = options
  const { client, published } = registry
  const { compression, compressionLevel: level } = inputs
  const platform = platformOf(wanted.system)
  const note = ({ memo, ...pushed }: Published) => {
    job.save({ layers: { ...job.state.layers, ...Object.fromEntries(memo) } })
    noteImage(job, registry, { ...pushed, platform: formatPlatform(platform) })
  }
  const { tagged, ...pushed } = await pushImage({
    ...{ client, published, image, compression, level, signal, programs },
    tags: isAlone(job) ? tagsToSet(job) : [],
    annotations: { [annotation.image]: outputKey(job, wanted.evaluated.outPath) },
    memo: cache.index.layers,
    onPublished: note,
    scratch: places.scratch,
    log: runner,
  })
  note(pushed)
  noteTags(job, tagged)
  remember(job, registry, pushed.digest, await keysOf(job, wanted))
  return { mediaType: manifestMediaType, digest: pushed.digest, size: pushed.manifestSize, platform }
}
