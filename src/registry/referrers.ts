import * as z from 'zod'
import { type Digest, sha256 } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import type { RegistryClient } from './client.ts'
import { indexMediaType } from './image-index.ts'
import { annotated, manifestMediaType } from './manifest.ts'
import { type Patience, withBlobs } from './missing-blobs.ts'
import type { Descriptor } from './model.ts'
import { addToTag } from './shared-tag.ts'
import { bodyOf } from './transport.ts'

/** Something that is said of a manifest, to be kept beside it. */
export type Artifact = {
  /** Media type of what it is. */
  readonly artifactType: string
  readonly content: {
    readonly mediaType: string
    readonly bytes: Buffer
    readonly annotations?: Readonly<Record<string, string>>
  }
  /** Of its manifest, and of its entry in lists of referrers. */
  readonly annotations: Readonly<Record<string, string>>
}

/** An entry of a list of referrers: its manifest. */
export type Referrer = Descriptor & { readonly artifactType?: string }

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
export type Listed = z.infer<typeof referrerSchema>

/**
 * What refers to a manifest, by the registry's own list, and by the tag that stands in for it where there is none.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 * @throws UserError when the registry refuses, or keeps something else under that tag
 */
export async function listReferrers(
  client: RegistryClient,
  subject: Digest,
  signal?: AbortSignal,
): Promise<readonly Listed[]> {
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
export async function attach(
  client: RegistryClient,
  subject: Descriptor,
  artifacts: readonly Artifact[],
  patience: Patience = {},
): Promise<readonly Referrer[]> {
  const { signal } = patience
  const config = { mediaType: emptyType, digest: sha256(emptyConfig), size: emptyConfig.length }
  const put: Referrer[] = []
  const unlisted: Referrer[] = []
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
export async function upload(
  client: RegistryClient,
  blob: Descriptor,
  bytes: Buffer,
  signal?: AbortSignal,
): Promise<void> {
  if (!(await client.hasBlob(blob, signal))) await client.uploadBlob({ ...blob, ...bodyOf(bytes) }, signal)
}

/** https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md#guidelines-for-artifact-usage */
function artifactManifest(options: {
  readonly artifactType: string
  readonly config: Descriptor
  readonly layer: Descriptor
  readonly subject: Descriptor
  readonly annotations: Readonly<Record<string, string>>
}): Buffer {
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
async function listUnderTag(
  client: RegistryClient,
  subject: Digest,
  referrers: readonly Referrer[],
  signal?: AbortSignal,
): Promise<void> {
  if (referrers.length === 0) return
  const tag = tagFor(subject)
  const add = (found: Buffer | undefined) => {
    const index = fallbackIndex(found, `${client.repository.name}:${tag}`)
    const missing = referrers.filter(({ digest }) => !index.manifests.some(one => one.digest === digest))
    if (missing.length === 0) return undefined
    return Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, ...missing] }))
  }
  await addToTag(client, tag, indexMediaType, add, signal)
}

function fallbackIndex(found: Buffer | undefined, where: string) {
  if (found === undefined) return { schemaVersion: 2, mediaType: indexMediaType, manifests: [] }
  return parseIndex(found, where)
}

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#referrers-tag-schema */
function tagFor(subject: Digest): string {
  return subject.replace(':', '-')
}

function parseIndex(bytes: Buffer, where: string) {
  try {
    return indexSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    throw new UserError(`${where}: this is no list of what refers to an image.`, {
      advice: 'Remove that tag: its name is reserved for such a list.',
      cause: error,
    })
  }
}
