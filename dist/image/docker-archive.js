import * as z from '../vendor/zod.js'

import { UserError } from '../util/errors.js'
import { isTar } from '../util/tar.js'

import { packingOf } from './compression.js'
import {
  configSchema,
  listOf,
  longestDocument,
  mostLayers,
  parseDocument,
  quoted,
  toPlatform,
} from './document.js'
import { fileLayer } from './file-layer.js'

const manifestSchema = listOf(
  z.object({ Config: z.string(), Layers: z.array(z.string()).max(mostLayers).nullish() }),
)

/**
 * Reads what `docker save` writes and `docker load` takes: a tar with manifest.json, an image config and layers.
 * Nothing but headers, manifest and config is read.
 * https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format
 * @throws UserError when the archive is damaged or is not one image
 */
export async function readDockerArchive(file, find) {
  const unusable = what =>
    new UserError(`The docker archive ${file.name} cannot be used: ${what}.`, {
      advice: 'It should be what buildImage, buildLayeredImage or streamLayeredImage of nixpkgs makes.',
    })

  const document = async (name, schema) => {
    const member = find(name)
    if (!member) throw unusable(`it has no ${quoted(name)}`)
    if (member.size > longestDocument) throw unusable(`${quoted(name)} has ${member.size} bytes`)
    const bytes = await file.read(member.offset, member.size)
    return { bytes, value: parseDocument(bytes, schema, problem => unusable(`${quoted(name)}: ${problem}`)) }
  }

  const { value: images } = await document('manifest.json', manifestSchema)
  const [image, ...others] = images
  if (!image || others.length > 0) throw unusable(`it holds ${images.length} images and should hold one`)

  const { bytes: config, value: settings } = await document(image.Config, configSchema)
  const names = image.Layers ?? []
  const diffIds = settings.rootfs.diff_ids ?? []
  if (names.length !== diffIds.length)
    throw unusable(`its manifest has ${names.length} layers and its config ${diffIds.length}`)

  const layers = []
  for (const [i, diffId] of diffIds.entries()) {
    const name = names[i] ?? ''
    const member = find(name)
    if (!member) throw unusable(`it has no layer ${quoted(name)}`)
    layers.push(await layerOf(file, member, diffId, name))
  }
  return { file, config, platform: toPlatform(settings), layers, names }
}

/** The image that is the archive as it is; it owns the archive's file from then on. */
export function dockerArchiveImage({ file, config, platform, layers }, kind) {
  return Object.freeze({
    kind,
    config: () => config,
    platform,
    layers: Object.freeze(layers),
    close: () => file.close(),
  })
}

async function layerOf(file, member, diffId, name) {
  const { offset, size: length } = member
  const head = await file.read(offset, Math.min(512, length))
  // A tar begins with a name, which may look like anything. Base images that come from registries keep their layers as
  // those had them.
  const packing = isTar(head) ? undefined : packingOf(head)
  if (packing === 'xz' || packing === 'bzip2')
    throw new UserError(`The layer ${quoted(name)} of ${file.name} is compressed with ${packing}.`, {
      advice: 'Layers may be plain, gzip or zstd: make the base image with one of these.',
    })
  return fileLayer(diffId, { file: file.descriptor, offset, length, packing })
}
