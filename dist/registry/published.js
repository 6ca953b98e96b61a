import pMap from '../vendor/p-map.js'

import { childOf, readManifest } from './records.js'

/**
 * Looks at the tags. Where there are none it asks for one all the same, so that a wrong password is found.
 * @throws UserError when the registry does not take the credentials, or does not answer
 */
export async function lookAtTags(client, tags, platforms, signal) {
  const named = new Map()
  const images = new Map()
  const getChild = child => client.getManifest(child, signal)
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
