import type { OpenedCache } from '../cache/open.ts'
import { openImage } from '../image/open.ts'
import type { Job } from '../job.ts'
import type { Nix } from '../nix/model.ts'
import { programs } from '../places.ts'
import type { RegistryClient } from '../registry/client.ts'
import type { Published } from '../registry/published.ts'
import { pushImage } from '../registry/push.ts'

/** Pushes what was built, and leaves to post what its layers became. */
export async function push(
  job: Job,
  options: {
    readonly nix: Nix
    readonly cache: OpenedCache
    readonly client: RegistryClient
    readonly published: Published
    /** Store path of the image. */
    readonly outPath: string
  },
): Promise<void> {
  const { inputs, context, places, runner, signal, report } = job
  const { nix, cache, client, published, outPath } = options
  const { compression, compressionLevel: level, tags } = inputs
  if (tags.length === 0) {
    runner.warning(
      `No tag: no line of \`tags\` applies to this event (${context.eventName}, ${context.ref}), so the image is pushed by its digest only.`,
    )
  }
  const image = await openImage({ path: outPath, scratch: places.scratch, env: nix.env, log: runner })
  try {
    const pushed = await pushImage({
      ...{ client, image, compression, level, tags },
      memo: cache.index.layers,
      published,
      worker: programs.layerWorker,
      scratch: places.scratch,
      log: runner,
      signal,
    })
    const { memo, ...facts } = pushed
    job.save({ layers: Object.fromEntries(memo) })
    const { name } = client.repository
    const { os, architecture, variant } = image.platform
    report.push = {
      ...facts,
      name,
      tags: tags.map(tag => `${name}:${tag}`),
      platform: [os, architecture, variant].filter(Boolean).join('/'),
    }
  } finally {
    await image.close()
  }
}
