import type { Evaluated } from '../build/flake.ts'
import { cleanCommit, isLocked, isPure } from '../build/revision.ts'
import type { OpenedCache } from '../cache/open.ts'
import { writerVersion } from '../image/model.ts'
import { formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { BlobUnknown } from '../registry/failure.ts'
import { defaultLevel } from '../registry/make-layer.ts'
import { type ManifestRecord, readManifest } from '../registry/records.ts'
import type { PublishedImage } from '../report.ts'
import { sha256 } from '../util/digest.ts'
import type { WantedImage } from './build.ts'
import type { PushedImage, Registry } from './model.ts'
import { tellImage } from './tell.ts'
import { isAlone, publishIndex, tagAlone } from './together.ts'

/** An image that the registry has, and how it was known to be the one that is asked for. */
export type Known = {
  readonly system: string
  readonly manifest: ManifestRecord
  readonly by: 'source' | 'output'
  /** Keys that the next run may find it by. */
  readonly keys: readonly string[]
  /** What it would be made from; undefined where Nix is not asked. */
  readonly evaluated: Evaluated | undefined
}

/** What the image's manifest depends on besides what Nix makes. */
function writer({ inputs }: Job): string {
  const { compression, compressionLevel, labels, annotations, check, checkIgnored } = inputs
  const said = sha256(JSON.stringify([labels, annotations.manifest])).slice(7, 23)
  const written = `${compression} ${compressionLevel ?? defaultLevel[compression]} ${writerVersion} ${said}`
  // Whoever asks for an inspection is not given what was published without one, or in spite of it.
  const strict = check === 'error' && checkIgnored.length === 0
  return strict ? written : `${written} check ${[check, ...checkIgnored].join(' ')}`
}

/**
 * What an image has to have passed before it is published, besides what its own key says; empty where nothing is asked
 * for. Only the cache index knows that it has: a manifest that said so would be another one for each kind of run.
 */
function proof({ inputs }: Job): string {
  const { test, reproducible, provenance, sign } = inputs
  // What is vouched for has to be made by a job that knew that: annotations anybody with the right to push can write.
  const vouched = provenance || sign
  if (test === undefined && !reproducible && !vouched) return ''
  return ` passed ${sha256(JSON.stringify([test ?? null, reproducible, vouched])).slice(7, 23)}`
}

/**
 * What an image that Nix makes at a store path is known by: the same for the same content. With the platform, since one
 * output may hold images for several, and one that is for another must not be taken for this one.
 */
export function outputKey(job: Job, { system, evaluated }: WantedImage): string {
  return `${evaluated.outPath} ${formatPlatform(platformOf(system))} ${writer(job)}`
}

/**
 * What an image is known by before Nix is asked; undefined where more than the commit decides what it is, or where more
 * than the image is asked for.
 * @param evaluated the commit that Nix has seen, where it was asked: another one may be checked out by now
 */
async function sourceKey(job: Job, system: string, evaluated?: string): Promise<string | undefined> {
  const { inputs, context, env } = job
  const { image, warm, copyTo, load, sbom, provenance, nixArgs, nixConf, release } = inputs
  if (image === undefined || warm.length > 0 || copyTo !== undefined || load || sbom) return undefined
  // It tells of the flake and its inputs: what Nix was not asked for it could not say.
  if (provenance) return undefined
  if (!isPure(nixArgs, nixConf, job.env)) return undefined
  const commit = await cleanCommit(image, { workspace: context.workspace, env })
  if (commit === undefined || (evaluated !== undefined && commit !== evaluated)) return undefined
  const settings = [commit, context.repository, image.text, system, nixArgs, nixConf, release.version]
  return `source ${sha256(JSON.stringify(settings)).slice(7)} ${writer(job)}${proof(job)}`
}

/**
 * Question 1: were this commit's images published before? Undefined when one of them was not, and when this run does
 * not push.
 */
export async function findBySource(
  job: Job,
  cache: OpenedCache,
  registry: Registry | undefined,
): Promise<readonly Known[] | undefined> {
  if (registry === undefined || job.inputs.systems.length === 0) return undefined
  const found: Known[] = []
  for (const system of job.inputs.systems) {
    const key = await sourceKey(job, system)
    const manifest = key === undefined ? undefined : await remembered(key, cache, registry, job.signal)
    if (key === undefined || manifest === undefined) return undefined
    found.push({ system, manifest, by: 'source', keys: [key], evaluated: undefined })
  }
  return found
}

/** Question 2: which of what evaluation shows to be the images were published before? */
export async function findByOutput(
  job: Job,
  cache: OpenedCache,
  registry: Registry | undefined,
  images: readonly WantedImage[],
): Promise<readonly Known[]> {
  const { inputs, signal } = job
  // Whoever wants it on this machine, in a store, or told what it holds, wants it built.
  if (registry === undefined || inputs.load || inputs.copyTo || inputs.sbom) return []
  const found: Known[] = []
  for (const { system, evaluated } of images) {
    // A changed tree may stand for an image that nobody will see again.
    if (evaluated.source.dirty || !isPure(inputs.nixArgs, inputs.nixConf, job.env)) continue
    const key = outputKey(job, { system, evaluated })
    const passed = proof(job)
    const tagged = passed === '' ? registry.published.images.find(one => one.image === key) : undefined
    const manifest = tagged ?? (await remembered(key + passed, cache, registry, signal))
    if (manifest !== undefined)
      found.push({
        ...{ system, manifest, by: 'output', evaluated },
        keys: await keysOf(job, { system, evaluated }, true),
      })
  }
  return found
}

/** What the cache index knows, if the registry still has it. */
async function remembered(
  key: string,
  cache: OpenedCache,
  { client, published }: Registry,
  signal: AbortSignal,
): Promise<ManifestRecord | undefined> {
  const { name } = client.repository
  const digest = cache.index.images.get(`${name} ${key}`)?.digest
  if (digest === undefined) return undefined
  const tagged = published.images.find(image => image.digest === digest)
  if (tagged !== undefined) return tagged
  const found = await client.getManifest(digest, signal)
  return found && readManifest({ ...found.descriptor, bytes: found.bytes }, name)
}

/**
 * Publishes what the registry has under the tags of this run.
 * @returns false when the registry has lost a part of it: it has to be made again
 */
export async function publishKnown(job: Job, registry: Registry, images: readonly Known[]): Promise<boolean> {
  const { runner, report } = job
  const { host, name } = registry.client.repository
  const pushed = pushedBefore(job, registry, images)
  const [first] = images
  const [image] = pushed
  try {
    if (first !== undefined && image !== undefined && isAlone(job))
      await tagAlone(job, registry, image, first.manifest)
    else await publishIndex(job, registry, pushed)
  } catch (error) {
    if (!(error instanceof BlobUnknown)) throw error
    runner.info(`${host} misses a part of ${name}@${report.push?.digest}: it is made again.`)
    report.push = undefined
    report.attested = undefined
    job.save({ images: {} })
    return false
  }
  const { cache } = report
  if (cache !== undefined) cache.status ??= cache.paths > 0 ? 'hit' : 'miss'
  return true
}

/** Tells what is not made again, and leaves it to post. */
export function pushedBefore(job: Job, registry: Registry, images: readonly Known[]): PushedImage[] {
  const { repository } = registry.client
  return images.map(({ system, manifest, by, keys, evaluated }) => {
    const { mediaType, digest, bytes, size, list } = manifest
    const why = by === 'source' ? 'this commit' : 'what evaluation gives'
    job.runner.info(`${repository.name}@${digest} was published from ${why} before: it is not built again`)
    remember(job, registry, digest, keys)
    const platform = platformOf(system)
    const image: PublishedImage = {
      ...{ platform: formatPlatform(platform), digest, known: by, changed: false, size, uploaded: 0 },
      layers: list.map(({ digest, size }) => ({ digest, size, how: 'present' })),
    }
    tellImage(job, repository, image)
    return { child: { mediaType, digest, size: bytes.length, platform }, image, evaluated }
  })
}

/**
 * What an image that Nix was asked for can be found by from now on.
 * @param passed whether it has passed all that is asked of it
 */
export async function keysOf(
  job: Job,
  { system, evaluated }: WantedImage,
  passed: boolean,
): Promise<string[]> {
  const { source } = evaluated
  const { context, inputs, env } = job
  const locked =
    inputs.image !== undefined &&
    (await isLocked(source, inputs.image, { workspace: context.workspace, env }))
  const key = locked ? await sourceKey(job, system, source.rev) : undefined
  const output = outputKey(job, { system, evaluated })
  return [output, ...(passed ? [output + proof(job), ...(key === undefined ? [] : [key])] : [])]
}

/** Leaves to post what the image was published as. */
export function remember(
  job: Job,
  { client }: Registry,
  digest: ManifestRecord['digest'],
  keys: readonly string[],
): void {
  const { name } = client.repository
  const more = Object.fromEntries(keys.map(key => [`${name} ${key}`, { digest }]))
  job.save({ images: { ...job.state.images, ...more } })
}
