import pMap from 'p-map'
import type { Platform } from '../image/model.ts'
import type { Digest } from '../util/digest.ts'
import type { RegistryClient } from './client.ts'
import { childOf, type ManifestRecord, readManifest } from './records.ts'

/** What the tags that an image shall have name before it is pushed. */
export type TagsBefore = {
  /** Digest of the manifest or index, by tag. */
  readonly tags: ReadonlyMap<string, Digest>
  /** The images of the platforms that these are, or that they hold. */
  readonly images: readonly ManifestRecord[]
}

/**
 * Looks at the tags. Where there are none it asks for one all the same, so that a wrong password is found.
 * @throws UserError when the registry does not take the credentials, or does not answer
 */
export async function lookAtTags(
  client: RegistryClient,
  tags: readonly string[],
  platforms: readonly Platform[],
  signal?: AbortSignal,
): Promise<TagsBefore> {
  const named = new Map<string, Digest>()
  const images = new Map<Digest, ManifestRecord>()
  const getChild = (child: Digest) => client.getManifest(child, signal)
  if (tags.length === 0) await client.headManifest('latest', signal)
  await pMap(
    tags,
    async tag => {
      const manifest = await client.getManifest(tag, signal)
      if (manifest === undefined) return
      const { digest } = manifest.descriptor
      named.set(tag, digest)
      if (images.has(digest)) return
      const children = platforms.flatMap(platform => childOf(manifest.bytes, platform) ?? [])
      const found = children.length === 0 ? [manifest] : await pMap(children, getChild, { concurrency: 4 })
      for (const image of found) {
        const record =
          image && readManifest({ ...image.descriptor, bytes: image.bytes }, client.repository.name)
        if (record !== undefined) images.set(record.digest, record)
      }
    },
    { concurrency: 4 },
  )
  return { tags: named, images: [...images.values()] }
}
