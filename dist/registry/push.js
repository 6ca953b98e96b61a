import { availableParallelism } from 'node:os'
import pMap from '../vendor/p-map.js'

import { sha256 } from '../util/digest.js'
import { UserError } from '../util/errors.js'

import { count, formatBytes } from '../util/text.js'

import { layerMediaType } from './compress.js'
import { BlobUnknown } from './failure.js'
import { memoKey, pushLayers } from './layers.js'
import { configMediaType, imageManifest, manifestMediaType } from './manifest.js'

import { isTag } from './reference.js'
import { realSleep } from './retry.js'
import { bodyOf } from './transport.js'

/** Milliseconds before the blobs are asked for again when the registry says that the manifest's are not there. */
const blobUnknownWaits = [1000, 5000]

/**
 * Pushes an image: the blobs that the registry lacks, then the manifest by its digest, then the tags. So a push
 * that ends early leaves the tags as they were. A layer in `memo` is not read unless the registry has lost it, and
 * where `memo` has them all and the registry has the manifest, no blob is asked for.
 * @throws UserError when the registry or the disk refuses, or the image is not what it claims to be
 */
export async function pushImage(options) {
  const { client, image, compression, level, memo, tags, log, signal } = options
  const { name } = client.repository
  checkTags(name, tags)
  const config = { mediaType: configMediaType, digest: sha256(image.config), size: image.config.length }
  // First of all, so that a wrong password is found before anything is compressed.
  const before = await pMap(tags, tag => client.headManifest(tag, signal), { concurrency: 4 })
  const { manifest, blobs, changed, sent } = (await recall()) ?? (await publish())
  const digest = sha256(manifest)
  const tagged = []
  for (const [index, tag] of tags.entries()) {
    // Another job may have moved the tag since.
    const there = before[index]?.digest === digest ? await client.headManifest(tag, signal) : undefined
    if (there?.digest === digest) continue
    await put(tag)
    tagged.push(tag)
  }

  const uploaded = sum(sent.values())
  const layers = image.layers.map(({ diffId }) => ({ diffId, ...of(blobs, diffId) }))
  const different = new Map(layers.map(layer => [layer.digest, layer.size]))
  log.info(
    `${name}@${digest} ${changed ? 'is published' : 'was there before'}: ` +
      `${count(layers.length, 'layer')}, ${formatBytes(uploaded)} sent, tags: ${tags.join(' ') || 'none'}`,
  )
  return {
    digest,
    mediaType: manifestMediaType,
    size: config.size + sum(different.values()),
    uploaded,
    changed,
    tagged,
    layers: layers.map(({ diffId, digest, size }, index) => ({
      diffId,
      digest,
      size,
      how:
        sent.has(digest) && layers.findIndex(layer => layer.digest === digest) === index
          ? 'uploaded'
          : 'present',
    })),
    memo: memoOf(blobs),
  }

  /** The image as `memo` has it, if the registry still does. */
  async function recall() {
    const blobs = new Map()
    for (const { diffId } of image.layers) {
      const blob = memo.get(memoKey(diffId, compression, level))
      if (blob === undefined) return undefined
      blobs.set(diffId, blob)
    }
    const manifest = manifestOf(blobs)
    if ((await client.headManifest(sha256(manifest), signal)) === undefined) return undefined
    return { manifest, blobs, changed: false, sent: new Map() }
  }

  async function publish(remembered = memo, waits = blobUnknownWaits, sent = new Map()) {
    const blobs = await pushLayers(image.layers, {
      client,
      compression,
      level,
      memo: remembered,
      scratch: options.scratch,
      log,
      concurrency: options.concurrency ?? Math.min(4, Math.max(2, availableParallelism())),
      signal,
    })
    for (const { digest, size, how } of blobs.values()) if (how === 'uploaded') sent.set(digest, size)
    const manifest = manifestOf(blobs)
    const digest = sha256(manifest)
    if ((await client.headManifest(digest, signal)) !== undefined)
      return { manifest, blobs, changed: false, sent }
    if (!(await client.hasBlob(config, signal))) {
      await client.uploadBlob({ ...config, ...bodyOf(image.config) }, signal)
      sent.set(config.digest, config.size)
    }
    try {
      await client.putManifest(digest, manifest, manifestMediaType, signal)
    } catch (error) {
      const [wait, ...later] = waits
      if (!(error instanceof BlobUnknown) || wait === undefined) throw error
      log.info(`${client.repository.host} misses a blob that it had; asking for each again.`)
      await (options.sleep ?? realSleep)(wait, signal)
      return publish(new Map([...memo, ...memoOf(blobs)]), later, sent)
    }
    if ((await client.getManifest(digest, signal)) === undefined) {
      throw new UserError(
        `${name}: ${client.repository.host} took the manifest ${digest} and does not have it.`,
        { advice: 'Run the job again.' },
      )
    }
    return { manifest, blobs, changed: true, sent }
  }

  async function put(tag) {
    await client.putManifest(tag, manifest, manifestMediaType, signal)
    const found = await client.headManifest(tag, signal)
    if (found?.digest === digest) return
    throw new UserError(
      `${name}:${tag} is ${found?.digest ?? 'missing'} just after ${digest} was put there.`,
      {
        advice: 'Another job may push the same tag at the same time: let only one of them do so.',
      },
    )
  }

  function manifestOf(blobs) {
    const layers = image.layers.map(({ diffId }) => ({
      ...of(blobs, diffId),
      mediaType: layerMediaType[compression],
    }))
    return imageManifest(config, layers, options.annotations ?? {})
  }

  function memoOf(blobs) {
    return new Map(
      [...blobs].map(([diffId, { digest, size }]) => [memoKey(diffId, compression, level), { digest, size }]),
    )
  }
}

function of(blobs, diffId) {
  const blob = blobs.get(diffId)
  if (blob === undefined) throw new Error(`no blob was made of the layer ${diffId}`)
  return blob
}

function sum(numbers) {
  return [...numbers].reduce((total, number) => total + number, 0)
}

function checkTags(name, tags) {
  const unusable = tags.filter(tag => !isTag(tag))
  if (unusable.length === 0) return
  throw new UserError(`${name}: not usable as a tag: ${unusable.join(', ')}.`, {
    advice: 'A tag has up to 128 letters, digits, `_`, `.` or `-`, and begins with neither `.` nor `-`.',
  })
}
