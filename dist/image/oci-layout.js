import * as z from '../vendor/zod.js'
import { sha256 } from '../util/digest.js'
import { count, formatBytes } from '../util/text.js'
import {
  configSchema,
  digestSchema,
  longestDocument,
  mostLayers,
  parseDocument,
  quoted,
  toPlatform,
} from './document.js'
import { fileLayer } from './file-layer.js'

import { layerTypeOf } from './media-types.js'

import { formatPlatform } from './platform.js'

const oci = 'application/vnd.oci.image'
const docker = 'application/vnd.docker'
const indexTypes = [`${oci}.index.v1+json`, `${docker}.distribution.manifest.list.v2+json`]
const manifestTypes = [`${oci}.manifest.v1+json`, `${docker}.distribution.manifest.v2+json`]
const configTypes = [`${oci}.config.v1+json`, `${docker}.container.image.v1+json`]

/** Indexes in one another; two are usual. */
const deepest = 4
/** Manifests in all indexes. */
const mostManifests = 1000

const layoutSchema = z.object({ imageLayoutVersion: z.string() })

const platformSchema = z.object({ os: z.string(), architecture: z.string(), variant: z.string().nullish() })

const descriptorSchema = z.object({
  mediaType: z.string(),
  digest: digestSchema,
  size: z.int().nonnegative(),
  platform: platformSchema.nullish(),
})

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptorSchema).max(mostManifests),
})

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(mostLayers),
})

/**
 * Reads an OCI layout. Of all documents size and digest are verified; layers are not read.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 * @param files the image's from then on, unless this fails
 * @param wanted which image to take where there are several
 * @throws UserError when the layout is damaged, or holds no image or several for the platform
 */
export async function readOciLayout(files, wanted) {
  const { fail } = files

  /** A document that nothing vouches for. */
  const read = async (name, schema) => {
    const part = await files.find(name)
    if (part.length > longestDocument) throw fail(`${quoted(name)} has ${formatBytes(part.length)}`)
    return parseDocument(await files.read(part), schema, problem => fail(`${quoted(name)}: ${problem}`))
  }

  const blob = async ({ digest, size }) => {
    const part = await files.find(`blobs/${digest.replace(':', '/')}`)
    if (part.length !== size) throw fail(`${digest} has ${part.length} bytes and should have ${size}`)
    return part
  }

  const document = async (descriptor, schema) => {
    const { digest, size } = descriptor
    if (size > longestDocument) throw fail(`${digest} has ${formatBytes(size)}, which is much for a document`)
    const bytes = await files.read(await blob(descriptor))
    if (sha256(bytes) !== digest) throw fail(`${digest} has the digest ${sha256(bytes)}`)
    return { bytes, value: parseDocument(bytes, schema, problem => fail(`${digest}: ${problem}`)) }
  }

  const images = []
  const collect = async (manifests, depth) => {
    for (const each of manifests) {
      if (manifestTypes.includes(each.mediaType)) {
        images.push(each)
        if (images.length > mostManifests) throw fail(`it has more than ${mostManifests} manifests`)
      } else if (indexTypes.includes(each.mediaType)) {
        if (depth === deepest) throw fail(`its indexes are nested more than ${deepest} deep`)
        await collect((await document(each, indexSchema)).value.manifests, depth + 1)
      }
    }
  }

  const { imageLayoutVersion: version } = await read('oci-layout', layoutSchema)
  if (!/^1\./.test(version)) throw fail(`its layout has the version ${quoted(version)}, which is not known`)
  await collect((await read('index.json', indexSchema)).manifests, 1)
  const { value: manifest } = await document(choose(images, wanted, fail), manifestSchema)
  if (!configTypes.includes(manifest.config.mediaType))
    throw fail(`it is no container image but ${quoted(manifest.config.mediaType)}`)
  const { bytes: config, value: settings } = await document(manifest.config, configSchema)
  const diffIds = settings.rootfs.diff_ids ?? []
  if (manifest.layers.length !== diffIds.length)
    throw fail(`its manifest has ${count(manifest.layers.length, 'layer')} and its config ${diffIds.length}`)

  const layers = []
  for (const [i, diffId] of diffIds.entries()) {
    const descriptor = manifest.layers[i]
    layers.push(layerOf(descriptor, diffId, await blob(descriptor)))
  }

  function layerOf({ mediaType: type, digest, size }, diffId, part) {
    const known = layerTypeOf(type)
    if (known === undefined)
      throw fail(
        `its layer ${digest} has the media type ${quoted(type)}` +
          (/foreign|nondistributable/.test(type) ? ', which registries do not take' : ', which is not known'),
      )
    const { packing, mediaType } = known
    if (packing === undefined && digest !== diffId)
      throw fail(`its config calls the layer ${digest} ${diffId}`)
    return fileLayer(diffId, { ...part, packing }, packing && { mediaType, digest, size })
  }

  return Object.freeze({
    kind: 'oci-layout',
    config: () => config,
    platform: toPlatform(settings),
    layers: Object.freeze(layers),
    close: files.close,
  })
}

/** The only image, or the only one for the platform. What is for no platform, as attestations are, is no image. */
function choose(manifests, wanted, fail) {
  const images = manifests.filter(({ platform }) => platform?.os !== 'unknown')
  const fitting = images.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  )
  const [image, ...others] = images.length === 1 ? images : fitting
  if (image !== undefined && others.length === 0) return image
  const found = images.map(({ platform }) =>
    platform ? formatPlatform(toPlatform(platform)) : 'no platform',
  )
  throw fail(
    images.length === 0
      ? 'it holds no image'
      : `it holds ${images.length} images (for ${quoted(found.join(', '))}) and should hold one for ${formatPlatform(wanted)}`,
  )
}
