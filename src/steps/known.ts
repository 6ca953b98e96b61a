import type { Evaluated } from '../build/flake.ts'
import { cleanCommit, isLocked, isPure } from '../build/revision.ts'
import type { OpenedCache } from '../cache/open.ts'
import { writerVersion } from '../image/model.ts'
import { formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { BlobUnknown } from '../registry/failure.ts'
import { defaultLevel } from '../registry/make-layer.ts'
import { type ManifestRecord, readManifest } from '../registry/records.ts'
import { putTags } from '../registry/tagging.ts'
import { sha256 } from '../util/digest.ts'
import type { Registry } from './login.ts'

/** An image that the registry has, and how it was known to be the one that is asked for. */
export type Known = {
  readonly manifest: ManifestRecord
  readonly by: 'source' | 'output'
  /** Keys that the next run may find it by. */
  readonly keys: readonly string[]
  readonly registry: Registry
}

/** What the image's manifest depends on besides what Nix makes. */
function writer({ inputs }: Job): string {
  const { compression, compressionLevel, labels, annotations } = inputs
  const said = sha256(JSON.stringify([labels, annotations.manifest])).slice(7, 23)
  return `${compression} ${compressionLevel ?? defaultLevel[compression]} ${writerVersion} ${said}`
}

/** What an image that Nix makes at a store path is known by: the same for the same content. */
export function outputKey(job: Job, outPath: string): string {
  return `${outPath} ${writer(job)}`
}

/**
 * What an image is known by before Nix is asked; undefined where more than the commit decides what it is, or where more
 * than the image is asked for.
 * @param evaluated the commit that Nix has seen, where it was asked: another one may be checked out by now
 */
async function sourceKey(job: Job, evaluated?: string): Promise<string | undefined> {
  const { inputs, context, system, env } = job
  const { image, warm, copyTo, load, nixArgs, nixConf, release } = inputs
  if (image === undefined || warm.length > 0 || copyTo !== undefined || load) return undefined
  if (!isPure(nixArgs, nixConf, job.env)) return undefined
  const commit = await cleanCommit(image, { workspace: context.workspace, env })
  if (commit === undefined || (evaluated !== undefined && commit !== evaluated)) return undefined
  const settings = [commit, context.repository, image.text, system, nixArgs, nixConf, release.version]
  return `source ${sha256(JSON.stringify(settings)).slice(7)} ${writer(job)}`
}

/** Question 1: was this commit's image published before? Undefined also when this run does not push. */
export async function findBySource(
  job: Job,
  cache: OpenedCache,
  registry: Registry | undefined,
): Promise<Known | undefined> {
  const key = registry && (await sourceKey(job))
  if (registry === undefined || key === undefined) return undefined
  const manifest = await remembered(key, cache, registry, job.signal)
  return manifest && { manifest, by: 'source', keys: [key], registry }
}

/** Question 2: was what evaluation shows to be the image published before? */
export async function findByOutput(
  job: Job,
  cache: OpenedCache,
  registry: Registry | undefined,
  image: Evaluated | undefined,
): Promise<Known | undefined> {
  const { nixArgs, nixConf, copyTo, load } = job.inputs
  if (registry === undefined || image === undefined || copyTo !== undefined || load) return undefined
  if (image.source.dirty || !isPure(nixArgs, nixConf, job.env)) return undefined
  const key = outputKey(job, image.outPath)
  const tagged = registry.published.images.find(one => one.image === key)
  const manifest = tagged ?? (await remembered(key, cache, registry, job.signal))
  return manifest && { manifest, by: 'output', keys: await keysOf(job, image), registry }
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
 * Puts the tags on an image that the registry has.
 * @returns false when the registry has lost a part of it: it has to be made again
 */
export async function retag(job: Job, { manifest, by, keys, registry }: Known): Promise<boolean> {
  const { inputs, report, system, runner, signal } = job
  const { client, published } = registry
  const { name } = client.repository
  const found = {
    ...{ name, known: by, changed: false, uploaded: 0, digest: manifest.digest, size: manifest.size },
    platform: formatPlatform(platformOf(system)),
    layers: manifest.list.map(({ digest, size }) => ({ digest, size, how: 'present' as const })),
  }
  report.push = { ...found, tags: [], tagged: [] }
  try {
    const tagged = await putTags(client, { ...manifest, tags: inputs.tags, published, signal })
    report.push = { ...found, tags: inputs.tags.map(tag => `${name}:${tag}`), tagged }
  } catch (error) {
    if (!(error instanceof BlobUnknown)) throw error
    runner.info(`${client.repository.host} misses a part of ${name}@${manifest.digest}: it is made again.`)
    report.push = undefined
    return false
  }
  const why = by === 'source' ? 'this commit' : 'what evaluation gives'
  runner.info(`${name}@${manifest.digest} was published from ${why} before: it is not built again`)
  remember(job, registry, manifest.digest, keys)
  const { cache } = report
  if (cache !== undefined) cache.status ??= cache.paths > 0 ? 'hit' : 'miss'
  return true
}

/** What an image that Nix was asked for can be found by from now on. */
export async function keysOf(job: Job, { source, outPath }: Evaluated): Promise<string[]> {
  const { context, inputs, env } = job
  const locked =
    inputs.image !== undefined &&
    (await isLocked(source, inputs.image, { workspace: context.workspace, env }))
  const key = locked ? await sourceKey(job, source.rev) : undefined
  return [outputKey(job, outPath), ...(key === undefined ? [] : [key])]
}

/** Leaves to post what the image was published as. */
export function remember(
  job: Job,
  { client }: Registry,
  digest: ManifestRecord['digest'],
  keys: readonly string[],
): void {
  const { name } = client.repository
  job.save({ images: Object.fromEntries(keys.map(key => [`${name} ${key}`, { digest }])) })
}
