import { comparePlatforms, normal } from '../image/platform.js'
import { sha256 } from '../util/digest.js'

import { annotated } from './manifest.js'

import { putTags } from './tagging.js'

export const indexMediaType = 'application/vnd.oci.image.index.v1+json'

/**
 * The index of images for different platforms, as bytes: the same images always give the same bytes, whatever their
 * order.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 * @param annotations in any order; left out when there are none
 */
export function imageIndex(children, annotations) {
  const manifests = children
    .toSorted((a, b) => comparePlatforms(a.platform, b.platform))
    .map(({ mediaType, digest, size, platform }) => {
      const { os, architecture, variant } = normal(platform)
      // The order of the specification's example, which most tools write.
      const named = { architecture, os, ...(variant === undefined ? {} : { variant }) }
      return { mediaType, digest, size, platform: named }
    })
  const index = { schemaVersion: 2, mediaType: indexMediaType, manifests, ...annotated(annotations) }
  return Buffer.from(JSON.stringify(index))
}

/**
 * Puts an index of images that the registry has: by its digest, then under the tags.
 * @returns whether the registry did not have it, and which tags named something else before, or nothing
 * @throws UserError when the registry refuses
 */
export async function putIndex(client, options) {
  const { children, annotations, tags, published, onPublished, signal } = options
  const bytes = imageIndex(children, annotations)
  const digest = sha256(bytes)
  const changed = (await client.headManifest(digest, signal)) === undefined
  if (changed) await client.putManifest(digest, bytes, indexMediaType, signal)
  await onPublished({ mediaType: indexMediaType, digest, size: bytes.length, changed })
  return await putTags(client, { tags, published, bytes, mediaType: indexMediaType, signal })
}
