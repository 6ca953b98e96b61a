import * as z from '../vendor/zod.js'

import { isDigest } from '../util/digest.js'

/**
 * What a manifest says of how it was made, for the pushes after it. Only what is the same for the same content: an
 * unchanged image keeps its digest.
 */
export const annotation = {
  /** Of a layer: its memo key. */
  layer: 'io.github.nix-image-action.layer',
  /** Of a layer: sha256 of its uncompressed tar. */
  diffId: 'io.github.nix-image-action.diff-id',
  /** Of the manifest: what the image was made from, and how. */
  image: 'io.github.nix-image-action.image',
}

const digest = z.custom(value => typeof value === 'string' && isDigest(value))
const annotations = z.record(z.string(), z.string()).optional().catch(undefined)
const descriptor = z.object({ digest, size: z.number().int().min(0), annotations })
const imageSchema = z.object({ config: descriptor, layers: z.array(descriptor).max(1000), annotations })
const indexSchema = z.object({
  manifests: z
    .array(
      z.object({
        digest,
        platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() }),
      }),
    )
    .max(1000),
})

/**
 * Reads an image's manifest, of whoever's making. Undefined when it is none: then nothing is known of it.
 * @param repository name of the repository that it comes from
 */
export function readManifest(manifest, repository) {
  const { data } = imageSchema.safeParse(parse(manifest.bytes))
  if (data === undefined) return undefined
  const layers = new Map()
  for (const { digest, size, annotations = {} } of data.layers) {
    const key = annotations[annotation.layer]
    const diffId = annotations[annotation.diffId] ?? ''
    if (key !== undefined && isDigest(diffId)) layers.set(key, { diffId, digest, size, repository })
  }
  const different = new Map([data.config, ...data.layers].map(({ digest, size }) => [digest, size]))
  return {
    ...manifest,
    list: data.layers.map(({ digest, size }) => ({ digest, size })),
    size: different.values().reduce((sum, size) => sum + size, 0),
    image: data.annotations?.[annotation.image],
    layers,
    blobs: new Set(different.keys()),
  }
}

/** Of an image index the manifest for a platform; undefined when it has none, or is no index. */
export function childOf(index, { os, architecture, variant }) {
  const { data } = indexSchema.safeParse(parse(index))
  return data?.manifests.find(
    ({ platform }) =>
      platform.os === os &&
      platform.architecture === architecture &&
      (variant === undefined || platform.variant === undefined || platform.variant === variant),
  )?.digest
}

function parse(bytes) {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}
