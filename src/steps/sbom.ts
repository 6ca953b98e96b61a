import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { publicText } from '../build/locked.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform, platformOf } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { derivationText } from '../nix/derivation.ts'
import type { Nix } from '../nix/model.ts'
import { sbomFolder } from '../places.ts'
import { packageMeta } from '../sbom/meta.ts'
import type { Inventory, PackageMeta, StorePackage, Vendored } from '../sbom/model.ts'
import { vendoredBy } from '../sbom/vendored.ts'
import { sha256 } from '../util/digest.ts'
import { messageOf } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import { count } from '../util/text.ts'
import type { Seen } from './look.ts'
import type { PushedImage, WrittenSbom } from './model.ts'

/** An image, and all that is known of what it holds. */
export type Listed = Seen & { readonly packages: readonly StorePackage[] }

/** Finds out about what each image holds, while `work` is done, which can wait for it. */
export async function listWhile(
  job: Job,
  nix: Nix,
  images: readonly Seen[],
  work: (listed: Promise<readonly Listed[]>) => Promise<void>,
): Promise<void> {
  const failed = new AbortController()
  const signal = AbortSignal.any([job.signal, failed.signal])
  const listing = listAll()
  const [worked, listed] = await Promise.allSettled([
    work(listing).catch(error => {
      failed.abort()
      throw error
    }),
    listing,
  ])
  if (worked.status === 'rejected') throw worked.reason
  if (listed.status === 'rejected') throw listed.reason

  async function listAll(): Promise<Listed[]> {
    const all: Listed[] = []
    for (const seen of images) all.push({ ...seen, packages: await packagesOf(job, nix, seen, signal) })
    return all
  }
}

/**
 * Writes down what an image holds, in a folder that later steps of the job can read.
 * @param pushed as the registry has it; undefined where nothing is pushed
 */
export async function writeSbom(
  job: Job,
  seen: Listed,
  pushed: PushedImage | undefined,
): Promise<WrittenSbom> {
  const { places, report, runner } = job
  // A library that few runs need.
  const { sbomDocuments } = await import('../sbom/document.ts')
  const folder = sbomFolder(places)
  await mkdir(folder, { recursive: true })
  // As it was published: an image may say more of its platform.
  const platform = formatPlatform(platformOf(seen.wanted.system))
  const inventory = inventoryOf(job, seen, pushed)
  const [name = ''] = inventory.image.name.split('/').slice(-1)
  const base = join(folder, `${name}.${platform}`.replace(/[^\w.-]+/g, '-'))
  const [cyclonedx, spdx] = sbomDocuments(inventory)
  const files = [cyclonedx, spdx].map(({ extension }) => base + extension)
  const [file = ''] = files
  await writeFile(file, cyclonedx.text)
  await writeFile(base + spdx.extension, spdx.text)
  const others = report.sbom?.filter(one => one.platform !== platform) ?? []
  report.sbom = [...others, { platform, files }]
  runner.info(`SBOM of ${platform}: ${count(inventory.packages.length, 'store path')}: ${files.join(', ')}`)
  return { platform, file, text: cyclonedx.text }
}

function inventoryOf({ inputs, context }: Job, seen: Listed, pushed: PushedImage | undefined): Inventory {
  const { wanted, image, contents, packages } = seen
  return {
    image: {
      name: inputs.repository?.name ?? publicText(wanted.evaluated.installable, context.workspace) ?? 'image',
      digest: pushed?.child.digest,
      architecture: image.platform.architecture,
      created: createdAt(image),
    },
    layers: pushed?.image.layers.map(({ digest }) => digest) ?? [],
    outside: contents?.outside ?? [],
    packages,
  }
}

/** Milliseconds that the evaluation of what packages say of themselves may take. */
const longestEvaluation = 30_000

/**
 * Finds out about what is in an image. What a package says of itself may stay unknown: that is no reason to publish
 * nothing.
 * @param signal ends it early
 */
async function packagesOf(
  job: Job,
  nix: Nix,
  seen: Seen,
  signal: AbortSignal,
): Promise<readonly StorePackage[]> {
  const { places, runner } = job
  const { wanted, contents, known } = seen
  const { source } = wanted.evaluated
  const paths = (contents?.storePaths ?? []).map(({ path, layer }) => ({
    path,
    layer,
    known: known.get(path),
  }))
  const limited = { ...nix, signal: AbortSignal.any([signal, AbortSignal.timeout(longestEvaluation)]) }
  const meta = await packageMeta(limited, {
    ...{ flake: source.url, system: wanted.system, scratch: places.scratch },
    paths: paths.map(({ path, known }) => ({ path, deriver: known?.deriver })),
  }).catch(error => {
    if (!signal.aborted)
      runner.info('The SBOM has no licences, homepages and identifiers: the packages could not be evaluated.')
    runner.debug(harmless(messageOf(error)))
    return new Map<string, PackageMeta>()
  })
  const vendored = vendoredBy(derivationText)
  const byDeriver = new Map<string, readonly Vendored[]>()
  const builtWith = (deriver: string) => {
    const found = byDeriver.get(deriver) ?? vendored(deriver)
    byDeriver.set(deriver, found)
    return found
  }
  return paths.map(({ path, layer, known }) => ({
    ...{ path, layer, known, meta: meta.get(path) },
    vendored: known?.deriver === undefined ? [] : builtWith(known.deriver),
  }))
}

const configSchema = z.object({ created: z.string().optional().catch(undefined) })

/** When the image says that it was made; the beginning of time where it does not, as Nix has it for files. */
function createdAt(image: Image): Date {
  const config = image.config(image.layers.map(({ diffId }) => diffId ?? sha256('')))
  const { created } = configSchema.parse(JSON.parse(config.toString('utf8')))
  const date = new Date(created ?? 0)
  return date.getTime() >= 0 && date.getUTCFullYear() <= 9999 ? date : new Date(0)
}
