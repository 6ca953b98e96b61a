import type { OpenedCache } from '../cache/open.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import { manifestMediaType } from '../registry/manifest.ts'
import { type Published, pushImage } from '../registry/push.ts'
import { annotation } from '../registry/records.ts'
import type { PublishedImage } from '../report.ts'
import type { Digest } from '../util/digest.ts'
import { attestPublished, attestSbom } from './attest.ts'
import type { WantedImage } from './build.ts'
import { keysOf, outputKey, remember } from './known.ts'
import type { PushedImage, Registry, WrittenSbom } from './model.ts'
import { tell, tellImage } from './tell.ts'
import { isAlone, tagsToSet } from './together.ts'

/** Pushes an image, and leaves to post what it and its layers became. The only one is tagged, too. */
export async function push(
  job: Job,
  options: {
    readonly cache: OpenedCache
    readonly registry: Registry
    readonly wanted: WantedImage
    readonly image: Image
    /** What it was loaded or tested as: sha256 of its config. */
    readonly id?: Digest | undefined
    /** Writes down what it holds, once the registry has it; gives nothing where that is not asked for. */
    readonly describe: (image: PushedImage) => Promise<WrittenSbom | undefined>
  },
): Promise<PushedImage> {
  const { inputs, places, report, runner, signal } = job
  const { cache, registry, wanted, image, id, describe } = options
  const { client, published } = registry
  const { compression, compressionLevel: level } = inputs
  const { repository } = client
  const platform = platformOf(wanted.system)
  const note = ({ memo, manifestSize: _, ...pushed }: Published): PublishedImage => {
    job.save({ layers: { ...job.state.layers, ...Object.fromEntries(memo) } })
    const image = { ...pushed, platform: formatPlatform(platform) }
    tellImage(job, repository, image)
    return image
  }
  const tags = isAlone(job) ? tagsToSet(job) : []
  // Nobody's word is taken for the content of what this job vouches for: its layers are made here.
  const vouched = inputs.provenance || inputs.sign
  const { tagged, ...pushed } = await pushImage({
    ...{ client, image, id, compression, level, tags, signal, programs },
    annotations: { ...inputs.annotations.manifest, [annotation.image]: outputKey(job, wanted) },
    published: vouched ? { ...published, images: [] } : published,
    memo: vouched ? new Map() : cache.index.layers,
    async onPublished(published) {
      const pushed = pushedAs(published, note(published))
      const sbom = await describe(pushed)
      if (sbom !== undefined) await attestSbom(job, registry, pushed.child, sbom)
      if (isAlone(job)) await attestPublished(job, registry, pushed.child, [pushed])
    },
    scratch: places.scratch,
    log: runner,
  })
  const told = note(pushed)
  tell(job, repository, { tags, tagged })
  // What could not be built again in this job may be so in the next.
  const passed = !inputs.reproducible || report.reproducible?.verdict === 'same'
  remember(job, registry, pushed.digest, await keysOf(job, wanted, passed))
  return pushedAs(pushed, told)

  function pushedAs({ digest, manifestSize: size }: Published, image: PublishedImage): PushedImage {
    const child = { mediaType: manifestMediaType, digest, size, platform }
    return { child, image, evaluated: wanted.evaluated }
  }
}
