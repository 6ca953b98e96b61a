import { posix } from 'node:path'

import * as z from '../vendor/zod.js'
import { isDigest } from '../util/digest.js'
import { UserError } from '../util/errors.js'
import { indexTar, isTar } from '../util/tar.js'

import { packingOf, unpack, unpackingError } from './compression.js'

/** Real ones have some KiB; registries take manifests up to 4 MiB. */
const longestDocument = 8 * 1024 * 1024
/** Linux mounts at most 500 layers in one overlay, Docker 127: nothing could run an image with more than this. */
const mostLayers = 1000
/** As many symlinks as Linux follows. */
const mostLinks = 40

const digest = z.custom(value => typeof value === 'string' && isDigest(value), 'is not a sha256 digest')

const manifestSchema = z.array(
  z.object({ Config: z.string(), Layers: z.array(z.string()).max(mostLayers).nullish() }),
)

const configSchema = z.object({
  os: z.string().min(1),
  architecture: z.string().min(1),
  variant: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digest).max(mostLayers).nullish() }),
})

/**
 * Reads what `docker save` writes and `docker load` takes: a tar with manifest.json, an image config and layers.
 * Nothing but headers, manifest and config is read; only layers that are themselves compressed are read once,
 * to learn their size. The image owns `file` from then on.
 * https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format
 * @throws UserError when the archive is damaged or is not one image; `file` is then still the caller's
 */
export async function readDockerArchive(file, kind) {
  const members = new Map((await indexTar(file)).map(member => [normalise(member.name), member]))
  const unusable = what =>
    new UserError(`The docker archive ${file.name} cannot be used: ${what}.`, {
      advice: 'It should be what buildImage, buildLayeredImage or streamLayeredImage of nixpkgs makes.',
    })

  const document = async (name, schema) => {
    const member = follow(members, name)
    if (!member) throw unusable(`it has no ${quoted(name)}`)
    if (member.size > longestDocument) throw unusable(`${quoted(name)} has ${member.size} bytes`)
    const bytes = await file.read(member.offset, member.size)
    return { bytes, value: parse(bytes, schema, problem => unusable(`${quoted(name)}: ${problem}`)) }
  }

  if (!follow(members, 'manifest.json') && members.has('oci-layout'))
    throw new UserError(`${file.name} is an archive of an OCI layout, which is not supported yet.`, {
      advice: 'Give a docker archive or a streamLayeredImage.',
    })
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
    const member = follow(members, name)
    if (!member) throw unusable(`it has no layer ${quoted(name)}`)
    layers.push(await layerOf(file, member, diffId, name))
  }
  const { os, architecture, variant } = settings
  return Object.freeze({
    kind,
    config,
    platform: Object.freeze({ os, architecture, ...(variant ? { variant } : {}) }),
    layers: Object.freeze(layers),
    close: () => file.close(),
  })
}

async function layerOf(file, member, diffId, name) {
  const raw = () => file.stream(member.offset, member.size)
  const head = await file.read(member.offset, Math.min(512, member.size))
  // A tar begins with a name, which may look like anything.
  const packing = isTar(head) ? undefined : packingOf(head)
  if (packing === undefined) return Object.freeze({ diffId, size: member.size, open: raw })

  // Base images that come from registries keep their layers as those had them.
  if (packing !== 'gzip' && packing !== 'zstd')
    throw new UserError(`The layer ${quoted(name)} of ${file.name} is compressed with ${packing}.`, {
      advice: 'Layers may be plain, gzip or zstd: make the base image with one of these.',
    })
  const open = () => unpack(raw(), packing)
  try {
    return Object.freeze({ diffId, size: await lengthOf(open()), open })
  } catch (error) {
    throw unpackingError(error, `${file.name}, layer ${quoted(name)}`)
  }
}

async function lengthOf(stream) {
  let length = 0
  for await (const chunk of stream) length += chunk.length
  return length
}

function normalise(name) {
  return posix.normalize(name).replace(/^\/+/, '')
}

/** The file that a name of the archive stands for: archives of old have links from layer to layer. */
function follow(members, name) {
  let at = normalise(name)
  for (let links = 0; links <= mostLinks; links++) {
    const member = members.get(at)
    if (member?.type === 'file') return member
    if (member?.type === 'symlink') at = normalise(posix.join(posix.dirname(at), member.linkName))
    else if (member?.type === 'hardlink') at = normalise(member.linkName)
    else return undefined
  }
  return undefined
}

/** A name that the archive makes up, fit for an error message. */
function quoted(name) {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)
}

function parse(bytes, schema, fail) {
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
