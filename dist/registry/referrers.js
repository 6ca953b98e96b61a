import * as z from '../vendor/zod.js'
import { sha256 } from '../util/digest.js'
import { UserError } from '../util/errors.js'

import { indexMediaType } from './image-index.js'
import { annotated, manifestMediaType } from './manifest.js'
import { withBlobs } from './missing-blobs.js'

import { addToTag } from './shared-tag.js'
import { bodyOf } from './transport.js'

const emptyConfig = Buffer.from('{}')
const emptyType = 'application/vnd.oci.empty.v1+json'

// What is not named here is somebody else's, and stays as it is.
const referrerSchema = z.looseObject({
  digest: z.string(),
  artifactType: z.string().optional(),
  annotations: z.record(z.string(), z.string()).optional().catch(undefined),
})
const indexSchema = z.looseObject({
  mediaType: z.literal(indexMediaType).optional(),
  manifests: z.array(referrerSchema).max(10_000),
})

/**
 * What refers to a manifest, by the registry's own list, and by the tag that stands in for it where there is none.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 * @throws UserError when the registry refuses, or keeps something else under that tag
 */
export async function listReferrers(client, subject, signal) {
  const pages = (await client.getReferrers(subject, signal)) ?? []
  const own = pages.flatMap(page => parseIndex(page, `${client.repository.name}, referrers`).manifests)
  // Also beside a list of the registry's: it may be younger than what is attached.
  if (own.length > 0) return own
  const tag = tagFor(subject)
  const found = await client.getManifest(tag, signal)
  return fallbackIndex(found?.bytes, `${client.repository.name}:${tag}`).manifests
}

/**
 * Attaches artifacts to a manifest that the registry has: their blobs, their manifests by digest, and the list of
 * referrers. The same artifact twice is one referrer.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-manifests-with-subject
 * @throws UserError when the registry refuses, or other jobs keep writing the list at the same time
 */
export async function attach(client, subject, artifacts, patience = {}) {
  const { signal } = patience
  const config = { mediaType: emptyType, digest: sha256(emptyConfig), size: emptyConfig.length }
  const put = []
  const unlisted = []
  for (const { artifactType, content, annotations } of artifacts) {
    const { mediaType, bytes } = content
    const blob = { mediaType, digest: sha256(bytes), size: bytes.length }
    const layer = { ...blob, ...annotated(content.annotations ?? {}) }
    const manifest = artifactManifest({ artifactType, config, layer, subject, annotations })
    const digest = sha256(manifest)
    const lists = await withBlobs(client, patience, async () => {
      await upload(client, config, emptyConfig, signal)
      await upload(client, layer, bytes, signal)
      return await client.putManifest(digest, manifest, manifestMediaType, signal)
    })
    const size = manifest.length
    const referrer = { mediaType: manifestMediaType, digest, size, artifactType, ...annotated(annotations) }
    put.push(referrer)
    if (lists !== subject.digest) unlisted.push(referrer)
  }
  await listUnderTag(client, subject.digest, unlisted, signal)
  return put
}

/** Sends a small blob, unless the registry has it. */
export async function upload(client, blob, bytes, signal) {
  if (!(await client.hasBlob(blob, signal))) await client.uploadBlob({ ...blob, ...bodyOf(bytes) }, signal)
}

/** https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage */
function artifactManifest(options) {
  const { artifactType, config, layer, annotations } = options
  const { mediaType, digest, size } = options.subject
  return Buffer.from(
    JSON.stringify({
      ...{ schemaVersion: 2, mediaType: manifestMediaType, artifactType, config, layers: [layer] },
      ...{ subject: { mediaType, digest, size }, ...annotated(annotations) },
    }),
  )
}

/** Adds to the index that stands in for a registry's own list of referrers. */
async function listUnderTag(client, subject, referrers, signal) {
  if (referrers.length === 0) return
  const tag = tagFor(subject)
  const add = found => {
    const index = fallbackIndex(found, `${client.repository.name}:${tag}`)
    const missing = referrers.filter(({ digest }) => !index.manifests.some(one => one.digest === digest))
    if (missing.length === 0) return undefined
    return Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, ...missing] }))
  }
  await addToTag(client, tag, indexMediaType, add, signal)
}

function fallbackIndex(found, where) {
  if (found === undefined) return { schemaVersion: 2, mediaType: indexMediaType, manifests: [] }
  return parseIndex(found, where)
}

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema */
function tagFor(subject) {
  return subject.replace(':', '-')
}

function parseIndex(bytes, where) {
  try {
    return indexSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    throw new UserError(`${where}: this is no list of what refers to an image.`, {
      advice: 'Remove that tag: its name is reserved for such a list.',
      cause: error,
    })
  }
}
