import * as z from '../vendor/zod.js'
import { sha256 } from '../util/digest.js'
import { UserError } from '../util/errors.js'

import { configMediaType, manifestMediaType } from './manifest.js'
import { withBlobs } from './missing-blobs.js'
import { upload } from './referrers.js'
import { addToTag } from './shared-tag.js'

const payloadType = 'application/vnd.dev.cosign.simplesigning.v1+json'

// What is not named here is somebody else's, and stays as it is.
const layerSchema = z.looseObject({
  digest: z.string(),
  annotations: z.record(z.string(), z.string()).optional(),
})
const manifestSchema = z.looseObject({
  mediaType: z.literal(manifestMediaType),
  layers: z.array(layerSchema).max(1000),
})

/**
 * The annotations of the signatures that are kept for a manifest in the tag `sha256-<hex>.sig`.
 * https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 * @throws UserError when the registry refuses, or keeps something else under that tag
 */
export async function listTagSignatures(client, subject, signal) {
  const found = await client.getManifest(tagFor(subject), signal)
  if (found === undefined) return []
  return parse(found.bytes, client, subject).layers.map(({ annotations = {} }) => annotations)
}

/**
 * Adds a signature to those in the tag.
 * @throws UserError as `listTagSignatures`, and when other jobs keep writing the tag at the same time
 */
export async function addTagSignature(client, subject, { payload, annotations }, patience = {}) {
  const { signal } = patience
  const layer = { mediaType: payloadType, digest: sha256(payload), size: payload.length, annotations }
  const key = JSON.stringify(annotations)
  const add = async found => {
    const manifest = found && parse(found, client, subject)
    const { layers = [] } = manifest ?? {}
    if (layers.some(({ annotations }) => JSON.stringify(annotations) === key)) return undefined
    const all = [...layers, layer]
    const diffIds = all.map(({ digest }) => digest)
    const bytes = Buffer.from(
      JSON.stringify({
        architecture: '',
        os: '',
        config: {},
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    )
    const config = { mediaType: configMediaType, digest: sha256(bytes), size: bytes.length }
    await upload(client, config, bytes, signal)
    return Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: manifestMediaType },
        ...{ ...manifest, config, layers: all },
      }),
    )
  }
  await withBlobs(client, patience, async () => {
    await upload(client, layer, payload, signal)
    await addToTag(client, tagFor(subject), manifestMediaType, add, signal)
  })
}

function parse(bytes, client, subject) {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    throw new UserError(`${client.repository.name}:${tagFor(subject)}: this holds no signatures.`, {
      advice: 'Remove that tag: its name is reserved for signatures.',
      cause: error,
    })
  }
}

function tagFor(subject) {
  return `${subject.replace(':', '-')}.sig`
}
