import * as z from '../vendor/zod.js'
import { isDigest } from '../util/digest.js'

/** Bytes. Real ones have some KiB; registries take manifests up to 4 MiB. */
export const longestDocument = 8 * 1024 * 1024

/** Linux mounts at most 500 layers in one overlay, Docker 127: nothing could run an image with more than this. */
export const mostLayers = 1000

/** Of whatever else a document lists. Without a bound a list of millions of wrong items has as many errors. */
const mostItems = 100_000

/** A list that is not looked at when it is too long. */
export function listOf(item) {
  return z.array(item).max(mostItems)
}

export const digestSchema = z.custom(
  value => typeof value === 'string' && isDigest(value),
  'is not a sha256 digest',
)

/** What matters here of an image config. https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md */
export const configSchema = z.object({
  os: z.string().min(1),
  architecture: z.string().min(1),
  variant: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digestSchema).max(mostLayers).nullish() }),
})

/** What of some document is its platform. */
export function toPlatform(document) {
  const { os, architecture, variant } = document
  return Object.freeze({ os, architecture, ...(variant ? { variant } : {}) })
}

/**
 * @param fail makes the error of what is wrong, said so that it can follow the document's name and a colon
 * @throws what `fail` makes
 */
export function parseDocument(bytes, schema, fail) {
  let value
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw fail('it is not JSON')
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  throw fail(`${issue?.path.join('.') || 'the whole'}: ${issue?.message}`)
}

/** A name that an image makes up, fit for an error message. */
export function quoted(name) {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)
}
