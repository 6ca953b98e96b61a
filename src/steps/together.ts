import { join } from 'node:path'
import { entries, hasCacheService } from '../cache/entries.ts'
import { type Legs, legs, withoutZstd } from '../cache/legs.ts'
import { whyReadOnly } from '../cache/may-save.ts'
import type { Platform } from '../image/model.ts'
import { comparePlatforms, formatPlatform } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import { putIndex } from '../registry/image-index.ts'
import { readManifest } from '../registry/records.ts'
import { putTags, TagMoved } from '../registry/tagging.ts'
import type { Digest } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import { realSleep } from '../util/sleep.ts'
import { attestPublished } from './attest.ts'
import type { PushedImage, Registry } from './model.ts'
import { type Told, tell } from './tell.ts'

/** Milliseconds. */
const longestAnswer = 120_000

/** Whether an image for one platform is published, which needs no index. */
export function isAlone({ inputs }: Pick<Job, 'inputs'>): boolean {
  return inputs.platforms.length === 1
}

/** The tags that this job sets. */
export function tagsToSet({ inputs }: Pick<Job, 'inputs'>): readonly string[] {
  return inputs.push === 'digest' ? [] : inputs.tags
}

/** Whether what this job publishes depends on other jobs. */
function meetsOthers(job: Pick<Job, 'inputs'>): boolean {
  const { systems, platforms, push } = job.inputs
  return systems.length < platforms.length || (push === 'digest' && !isAlone(job))
}

/**
 * Looks whether the jobs of a matrix can find each other: before anything is built.
 * @throws UserError
 */
export function checkMeetingPlace(job: Pick<Job, 'env' | 'inputs'>): void {
  if (!meetsOthers(job)) return
  const why = hasCacheService(job.env) ? whyReadOnly(job.env) : 'this runner does not have it'
  if (why === undefined) return
  throw new UserError(`The jobs that push this image together meet in the Actions cache, and ${why}.`, {
    advice: 'Build all `systems` in one job: then it has all `platforms`.',
  })
}

/**
 * Tags an image for a single platform, which the registry has.
 * @throws BlobUnknown when the registry has lost a part of it
 */
export async function tagAlone(
  job: Job,
  registry: Registry,
  image: PushedImage,
  manifest: { readonly mediaType: string; readonly bytes: Buffer },
): Promise<void> {
  const { client, published } = registry
  const tags = tagsToSet(job)
  await attestPublished(job, registry, image.child, [image])
  const tagged = await putTags(client, { ...manifest, tags, published, signal: job.signal })
  tell(job, client.repository, { tags, tagged })
}

/**
 * Puts the images of all platforms into an index, and tags it. In a matrix the job that finds the last of them does so,
 * and the others leave it at that.
 * @param own what this job has pushed
 * @throws UserError when this job has pushed nothing, and others not all
 */
export async function publishIndex(job: Job, registry: Registry, own: readonly PushedImage[]): Promise<void> {
  const { inputs, runner } = job
  if (!meetsOthers(job)) return await putAll(job, registry, own)

  const isOwn = (platform: Platform) =>
    own.some(({ child }) => comparePlatforms(child.platform, platform) === 0)
  const others = inputs.platforms.filter(platform => !isOwn(platform))
  const meeting = await meetingPlace(job)
  for (const { child } of own) await meeting.tell(formatPlatform(child.platform), child.digest)
  if (inputs.push === 'digest')
    return runner.info('`push` is `digest`: the index and its tags are left to another job.')

  const names = others.map(formatPlatform)
  const ownNames = own.map(({ child }) => formatPlatform(child.platform))
  let found = await meeting.meet(ownNames, names)
  const missing = names.filter(name => !found.has(name))
  if (missing.length > 0) return wait(missing)
  for (;;) {
    const theirs = await imagesOf(job, registry, others, found)
    const moved = await putAll(job, registry, [...own, ...theirs]).catch(error => {
      if (error instanceof TagMoved) return error
      throw error
    })
    if (attemptOf(job) > 1) {
      // A job that runs again, too, may meanwhile have published its new image with the one of this job.
      const again = new Map([...found, ...(await meeting.look(names))])
      if (names.some(name => again.get(name) !== found.get(name))) {
        found = again
        continue
      }
    }
    if (moved === undefined) return
    throw moved
  }

  function wait(missing: readonly string[]): void {
    if (own.length === 0) {
      throw new UserError(
        `No job of this run has pushed ${missing.join(', ')}: there is no index to publish.`,
        {
          advice:
            'This job must have those that push in its `needs:`, and have the same `name`, `tags`, `flavor` and `platforms` as they.',
        },
      )
    }
    runner.info(
      `${missing.join(', ')}: not pushed in this run yet. The job that pushes the last one publishes all; if there is none, name all \`systems\` in this one.`,
    )
    tell(job, registry.client.repository, { waiting: missing })
  }
}

/** The images that other jobs have pushed, as the registry has them. */
async function imagesOf(
  job: Job,
  { client }: Registry,
  platforms: readonly Platform[],
  digests: ReadonlyMap<string, Digest>,
): Promise<PushedImage[]> {
  const { name } = client.repository
  const images: PushedImage[] = []
  for (const platform of platforms) {
    const formatted = formatPlatform(platform)
    const digest = digests.get(formatted) ?? ''
    const manifest = await client.getManifest(digest, job.signal)
    const record = manifest && readManifest({ ...manifest.descriptor, bytes: manifest.bytes }, name)
    if (manifest === undefined || record === undefined) {
      throw new UserError(
        `${name}@${digest} was pushed for ${formatted} in this run, and ${manifest === undefined ? 'is not there any more' : 'is no image'}.`,
        { advice: 'Run all jobs of this workflow again.' },
      )
    }
    const { size, list } = record
    images.push({
      child: { ...manifest.descriptor, platform },
      image: {
        ...{ platform: formatted, digest: record.digest, known: 'job', changed: false, size, uploaded: 0 },
        layers: list.map(({ digest, size }) => ({ digest, size, how: 'present' })),
      },
      evaluated: undefined,
    })
  }
  return images
}

async function putAll(job: Job, registry: Registry, all: readonly PushedImage[]): Promise<void> {
  const { client, published } = registry
  const { runner, signal } = job
  const tags = tagsToSet(job)
  let index: Told['index']
  const tagged = await putIndex(client, {
    ...{ tags, published, signal, annotations: job.inputs.annotations.index },
    children: all.map(({ child }) => child),
    async onPublished(put) {
      index = put
      tell(job, client.repository, { images: all.map(({ image }) => image), index })
      await attestPublished(job, registry, put, all)
    },
  })
  tell(job, client.repository, { tags, tagged })
  const platforms = all.map(({ image }) => image.platform).join(', ')
  runner.info(
    `${client.repository.name}@${index?.digest} ${index?.changed ? 'is published' : 'was there before'} for ${platforms}, tags: ${tags.join(' ') || 'none'}`,
  )
}

function attemptOf({ context }: Job): number {
  return Number(context.runAttempt) || 1
}

async function meetingPlace(job: Job): Promise<Legs> {
  const { env, runner, context, inputs, places, signal } = job
  const scratch = join(places.scratch, 'meeting')
  const plain = await withoutZstd(env, scratch)
  const store = entries({ client: programs.client, env: plain, log: runner, timeout: longestAnswer })
  const { runId } = context
  const { together } = inputs
  return legs(store, { runId, runAttempt: attemptOf(job), together, scratch, sleep: realSleep, signal })
}
