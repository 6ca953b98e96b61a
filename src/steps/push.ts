import type { Evaluated } from '../build/flake.ts'
import type { OpenedCache } from '../cache/open.ts'
import { openImage } from '../image/open.ts'
import { formatPlatform } from '../image/platform.ts'
import type { Job } from '../job.ts'
import type { Nix } from '../nix/model.ts'
import { programs } from '../places.ts'
import { pushImage } from '../registry/push.ts'
import { annotation } from '../registry/records.ts'
import { outputKey, remember } from './known.ts'
import type { Registry } from './login.ts'

/** Pushes what was built, and leaves to post what its layers became. */
export async function push(
  job: Job,
  options: {
    readonly nix: Nix
    readonly cache: OpenedCache
    readonly registry: Registry
    readonly image: Evaluated
    /** Store path of the image. */
    readonly path: string
  },
): Promise<void> {
  const { inputs, context, places, runner, signal, report } = job
  const { nix, cache, registry, image: evaluated, path } = options
  const { client, published } = registry
  const { compression, compressionLevel: level, tags } = inputs
  if (tags.length === 0) {
    runner.warning(
      `No tag: no line of \`tags\` applies to this event (${context.eventName}, ${context.ref}), so the image is pushed by its digest only.`,
    )
  }
  const image = await openImage({ path, scratch: places.scratch, env: nix.env, log: runner })
  try {
    const pushed = await pushImage({
      ...{ client, image, compression, level, tags },
      memo: cache.index.layers,
      annotations: { [annotation.image]: outputKey(job, evaluated.outPath) },
      published,
      worker: programs.layerWorker,
      scratch: places.scratch,
      log: runner,
      signal,
    })
    const { memo, ...facts } = pushed
    job.save({ layers: Object.fromEntries(memo) })
    await remember(job, registry, pushed.digest, evaluated)
    const { name } = client.repository
    report.push = {
      ...facts,
      name,
      tags: tags.map(tag => `${name}:${tag}`),
      platform: formatPlatform(image.platform),
    }
  } finally {
    await image.close()
  }
}
