import { entries, hasCacheService } from '../cache/entries.ts'
import { type Legs, legs } from '../cache/legs.ts'
import type { Platform } from '../image/model.ts'
import { comparePlatforms, formatPlatform } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { programs } from '../places.ts'
import { type Child, putIndex } from '../registry/image-index.ts'
import { readManifest } from '../registry/records.ts'
import { putTags, TagMoved } from '../registry/tagging.ts'
import type { PublishedImage } from '../report.ts'
import type { Digest } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import type { Registry } from './login.ts'

/** Tells what the registry has of an image for one platform; until there are tags there is nothing more to tell. */
export function noteImage({ report }: Job, { client }: Registry, image: PublishedImage): void {
  const others = report.push?.images.filter(({ platform }) => platform !== image.platform) ?? []
  const images = [...others, image].toSorted((a, b) => (a.platform < b.platform ? -1 : 1))
  report.push = {
    name: client.repository.name,
    digest: images[0]?.digest ?? image.digest,
    platforms: images.map(({ platform }) => platform),
    changed: images.some(({ changed }) => changed),
    ...{ tags: [], tagged: [], waiting: [], images },
  }
}

/** Whether an image for one platform is published, which needs no index. */
export function isAlone({ inputs }: Pick<Job, 'inputs'>): boolean {
  return inputs.platforms.length === 1
}

/** The tags that this job sets. */
export function tagsToSet({ inputs }: Pick<Job, 'inputs'>): readonly string[] {
  return inputs.push === 'digest' ? [] : inputs.tags
}

/** What of the report comes with the tags. */
export function noteTags(job: Job, tagged: readonly string[]): void {
  const { push } = job.report
  if (push !== undefined)
    job.report.push = { ...push, tagged, tags: tagsToSet(job).map(tag => `${push.name}:${tag}`) }
}

/**
 * Tags what the registry has, when it is all that is to be published.
 * @throws BlobUnknown when the registry has lost a part of an image for a single platform
 */
export async function publishTogether(
  job: Job,
  registry: Registry,
  own: readonly (Child & { readonly bytes: Buffer })[],
): Promise<void> {
  const [child] = own
  if (child === undefined || !isAlone(job)) return await publishIndex(job, registry, own)
  const { client, published } = registry
  noteTags(job, await putTags(client, { ...child, tags: tagsToSet(job), published, signal: job.signal }))
}

/**
 * Puts the images of all platforms into an index, and tags it. In a matrix the job that finds the last of them does so,
 * and the others leave it at that.
 * @param own what this job has pushed
 * @throws UserError when this job has pushed nothing, and others not all
 */
export async function publishIndex(job: Job, registry: Registry, own: readonly Child[]): Promise<void> {
  const { inputs, runner, report } = job
  const others = inputs.platforms.filter(
    platform => !own.some(child => comparePlatforms(child.platform, platform) === 0),
  )
  if (others.length === 0 && inputs.push !== 'digest') return await putAll(job, registry, own)

  const meeting = meetingPlace(job)
  for (const { platform, digest } of own) await meeting.tell(formatPlatform(platform), digest)
  if (inputs.push === 'digest')
    return runner.info('`push` is `digest`: the index and its tags are left to another job.')
  const names = others.map(formatPlatform)
  let found = await meeting.ask(names)
  for (;;) {
    const missing = names.filter(name => !found.has(name))
    if (missing.length > 0) return wait(missing)
    const children = await childrenOf(job, registry, others, found)
    const moved = await putAll(job, registry, [...own, ...children]).catch(error => {
      if (error instanceof TagMoved) return error
      throw error
    })
    // A job that ran again may meanwhile have pushed another image, and have published it before or after this one.
    const again = await meeting.ask(names)
    if (names.every(name => again.get(name) === found.get(name))) {
      if (moved === undefined) return
      throw moved
    }
    found = again
  }

  function wait(missing: readonly string[]): void {
    if (own.length === 0) {
      throw new UserError(
        `No job of this run has pushed ${missing.join(', ')} yet: there is no index to publish.`,
        {
          advice:
            'This job must `need` those that push, and have the same `name`, `tags`, `flavor` and `platforms` as they.',
        },
      )
    }
    runner.info(
      `${missing.join(', ')}: not pushed in this run yet. The job that pushes the last one publishes all.`,
    )
    if (report.push !== undefined) report.push = { ...report.push, waiting: missing }
  }
}

/** The images that other jobs have pushed, as the registry has them. */
async function childrenOf(
  job: Job,
  registry: Registry,
  platforms: readonly Platform[],
  digests: ReadonlyMap<string, Digest>,
): Promise<Child[]> {
  const { client } = registry
  const { name } = client.repository
  const children: Child[] = []
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
    children.push({ ...manifest.descriptor, platform })
    noteImage(job, registry, {
      ...{
        platform: formatted,
        digest: record.digest,
        known: 'job',
        changed: false,
        size: record.size,
        uploaded: 0,
      },
      layers: record.list.map(({ digest, size }) => ({ digest, size, how: 'present' })),
    })
  }
  return children
}

async function putAll(job: Job, registry: Registry, children: readonly Child[]): Promise<void> {
  const { client, published } = registry
  const { runner, report, signal } = job
  const tags = tagsToSet(job)
  const tagged = await putIndex(client, {
    ...{ children, tags, published, signal, annotations: {} },
    onPublished({ digest, changed }) {
      if (report.push !== undefined) report.push = { ...report.push, digest, changed, waiting: [] }
    },
  })
  noteTags(job, tagged)
  const { push } = report
  runner.info(
    `${push?.name}@${push?.digest} ${push?.changed ? 'is published' : 'was there before'} for ${push?.platforms.join(', ')}, tags: ${tags.join(' ') || 'none'}`,
  )
}

/**
 * Looks whether the jobs of a matrix can find each other: before anything is built.
 * @throws UserError
 */
export function checkMeetingPlace({ env, inputs }: Pick<Job, 'env' | 'inputs'>): void {
  const { systems, platforms, push } = inputs
  const complete = systems.length === platforms.length && (push !== 'digest' || isAlone({ inputs }))
  if (complete || hasCacheService(env)) return
  throw new UserError(
    'The jobs that push this image together meet in the Actions cache, which this runner does not have.',
    { advice: 'Build all `systems` in one job: then it has all `platforms`.' },
  )
}

function meetingPlace({ env, runner, context, inputs, places }: Job): Legs {
  const store = entries({ client: programs.client, env, log: runner, timeout: longestAnswer })
  const { runId, runAttempt } = context
  return legs(store, { runId, runAttempt, together: inputs.together, scratch: places.scratch })
}

/** Milliseconds. */
const longestAnswer = 120_000
