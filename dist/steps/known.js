import { cleanCommit, isLocked, isPure } from '../build/revision.js'

import { writerVersion } from '../image/model.js'
import { formatPlatform, platformOf } from '../image/platform.js'

import { BlobUnknown } from '../registry/failure.js'
import { defaultLevel } from '../registry/make-layer.js'
import { readManifest } from '../registry/records.js'
import { putTags } from '../registry/tagging.js'
import { sha256 } from '../util/digest.js'
import { withoutInputs } from '../util/environment.js'

/** What the image's manifest depends on besides what Nix makes. */
function writer({ inputs }) {
  const { compression, compressionLevel } = inputs
  return `${compression} ${compressionLevel ?? defaultLevel[compression]} ${writerVersion}`
}

/** What an image that Nix makes at a store path is known by: the same for the same content. */
export function outputKey(job, outPath) {
  return `${outPath} ${writer(job)}`
}

/**
 * What an image is known by before Nix is asked; undefined where more than the commit decides what it is, or where more
 * than the image is asked for.
 * @param evaluated the commit that Nix has seen, where it was asked: another one may be checked out by now
 */
async function sourceKey(job, evaluated) {
  const { inputs, context, system, env } = job
  const { image, warm, copyTo, load, nixArgs, nixConf, release } = inputs
  if (image === undefined || warm.length > 0 || copyTo !== undefined || load) return undefined
  if (!isPure(nixArgs, nixConf, job.env)) return undefined
  const commit = await cleanCommit(image, { workspace: context.workspace, env: withoutInputs(env) })
  if (commit === undefined || (evaluated !== undefined && commit !== evaluated)) return undefined
  const settings = [commit, context.repository, image.text, system, nixArgs, nixConf, release.version]
  return `source ${sha256(JSON.stringify(settings)).slice(7)} ${writer(job)}`
}

/** Question 1: was this commit's image published before? Undefined also when this run does not push. */
export async function findBySource(job, cache, registry) {
  const key = registry && (await sourceKey(job))
  if (registry === undefined || key === undefined) return undefined
  const manifest = await remembered(key, cache, registry, job.signal)
  return manifest && { manifest, by: 'source', key, registry }
}

/** Question 2: was what evaluation shows to be the image published before? */
export async function findByOutput(job, cache, registry, image) {
  const { nixArgs, nixConf, copyTo, load } = job.inputs
  if (registry === undefined || image === undefined || copyTo !== undefined || load) return undefined
  if (image.source.dirty || !isPure(nixArgs, nixConf, job.env)) return undefined
  const key = outputKey(job, image.outPath)
  const tagged = registry.published.images.find(one => one.image === key)
  const manifest = tagged ?? (await remembered(key, cache, registry, job.signal))
  if (manifest === undefined) return undefined
  await remember(job, registry, manifest.digest, image)
  return { manifest, by: 'output', key, registry }
}

/** What the cache index knows, if the registry still has it. */
async function remembered(key, cache, { client, published }, signal) {
  const { name } = client.repository
  const digest = cache.index.images.get(`${name} ${key}`)?.digest
  if (digest === undefined) return undefined
  const tagged = published.images.find(image => image.digest === digest)
  if (tagged !== undefined) return tagged
  const found = await client.getManifest(digest, signal)
  return found && readManifest({ ...found.descriptor, bytes: found.bytes }, name)
}

/**
 * Puts the tags on an image that the registry has.
 * @returns false when the registry has lost a part of it: it has to be made again
 */
export async function retag(job, { manifest, by, key, registry }) {
  const { inputs, report, system, runner, signal } = job
  const { client, published } = registry
  const { name } = client.repository
  warnOfNoTag(job)
  let tagged
  try {
    tagged = await putTags(client, { ...manifest, tags: inputs.tags, published, signal })
  } catch (error) {
    if (!(error instanceof BlobUnknown)) throw error
    runner.info(`${client.repository.host} misses a part of ${name}@${manifest.digest}: it is made again.`)
    return false
  }
  const why = by === 'source' ? 'this commit' : 'what evaluation gives'
  runner.info(`${name}@${manifest.digest} was published from ${why} before: it is not built again`)
  job.save({ images: { ...job.state.images, [`${name} ${key}`]: { digest: manifest.digest } } })
  report.push = {
    ...{ name, tagged, known: by, changed: false, uploaded: 0 },
    digest: manifest.digest,
    tags: inputs.tags.map(tag => `${name}:${tag}`),
    platform: formatPlatform(platformOf(system)),
    size: manifest.size,
    layers: manifest.list.map(({ digest, size }) => ({ digest, size, how: 'present' })),
  }
  const { cache } = report
  if (cache !== undefined) cache.status ??= cache.paths > 0 ? 'hit' : 'miss'
  return true
}

export function warnOfNoTag({ inputs, context, runner }) {
  if (inputs.tags.length > 0) return
  runner.warning(
    `No tag: no line of \`tags\` applies to this event (${context.eventName}, ${context.ref}), so the image is published by its digest only.`,
  )
}

/** Leaves to post what the image was published as. */
export async function remember(job, { client }, digest, evaluated) {
  const { context, inputs, env } = job
  const where = { workspace: context.workspace, env: withoutInputs(env) }
  const keys = [outputKey(job, evaluated.outPath)]
  const locked = inputs.image !== undefined && (await isLocked(evaluated.source, inputs.image, where))
  const source = locked ? await sourceKey(job, evaluated.source.rev) : undefined
  if (source !== undefined) keys.push(source)
  const { name } = client.repository
  job.save({ images: Object.fromEntries(keys.map(key => [`${name} ${key}`, { digest }])) })
}
