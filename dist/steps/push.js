import { formatPlatform, platformOf } from '../image/platform.js'

import { programs } from '../places.js'

import { manifestMediaType } from '../registry/manifest.js'
import { pushImage } from '../registry/push.js'
import { annotation } from '../registry/records.js'

import { keysOf, outputKey, remember } from './known.js'

import { isAlone, noteImage, noteTags, tagsToSet } from './together.js'

/** Pushes an image, and leaves to post what it and its layers became. The only one is tagged, too. */
export async function push(job, options) {
  const { inputs, places, runner, signal } = job
  const { cache, registry, wanted, image } = options
  const { client, published } = registry
  const { compression, compressionLevel: level } = inputs
  const platform = platformOf(wanted.system)
  const note = ({ memo, ...pushed }) => {
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
