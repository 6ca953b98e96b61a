import type { Platform } from '../image/model.ts'
import { comparePlatforms, normal } from '../image/platform.ts'
import { sha256 } from '../util/digest.ts'
import type { RegistryClient } from './client.ts'
import { annotated } from './manifest.ts'
import type { Descriptor } from './model.ts'
import type { TagsBefore } from './published.ts'
import { putTags } from './tagging.ts'

export const indexMediaType = 'application/vnd.oci.image.index.v1+json'

/** The manifest of an image for one platform, which the registry has. */
export type Child = Descriptor & { readonly platform: Platform }

/**
 * The index of images for different platforms, as bytes: the same images always give the same bytes, whatever their
 * order.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md
 * @param annotations in any order; left out when there are none
 */
export function imageIndex(
  children: readonly Child[],
  annotations: Readonly<Record<string, string>>,
): Buffer {
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
export async function putIndex(
  client: RegistryClient,
  options: {
    readonly children: readonly Child[]
    readonly annotations: Readonly<Record<string, string>>
    readonly tags: readonly string[]
    readonly published: TagsBefore
    /** Called when the registry has the index; it is tagged when what this gives has settled. */
    readonly onPublished: (index: Descriptor & { readonly changed: boolean }) => Promise<void>
    readonly signal: AbortSignal | undefined
  },
): Promise<readonly string[]> {
  const { children, annotations, tags, published, onPublished, signal } = options
  const bytes = imageIndex(children, annotations)
  const digest = sha256(bytes)
  const changed = (await client.headManifest(digest, signal)) === undefined
  if (changed) await client.putManifest(digest, bytes, indexMediaType, signal)
  await onPublished({ mediaType: indexMediaType, digest, size: bytes.length, changed })
  return await putTags(client, { tags, published, bytes, mediaType: indexMediaType, signal })
}
