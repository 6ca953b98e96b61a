import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import type { Image } from '../image/model.ts'
import { formatPlatform } from '../image/platform.ts'
import type { Job } from '../job.ts'
import { sbomFolder } from '../places.ts'
import type { SbomDocument } from '../sbom/document.ts'
import type { Inventory, StorePackage } from '../sbom/model.ts'
import { sha256 } from '../util/digest.ts'
import { count } from '../util/text.ts'
import type { Seen } from './look.ts'
import type { PushedImage } from './together.ts'

/** What was written of an image. */
export type Sbom = {
  readonly platform: string
  /** Also the bytes for an attestation. */
  readonly documents: readonly (SbomDocument & { readonly file: string })[]
}

/**
 * Writes down what each image holds, in a folder that later steps of the job can read.
 * @param pushed as the registry has them; none where nothing is pushed
 */
export async function writeSboms(
  job: Job,
  images: readonly Seen[],
  pushed: readonly PushedImage[],
): Promise<readonly Sbom[]> {
  const { places, report, runner } = job
  // A library that few runs need.
  const { sbomDocuments } = await import('../sbom/document.ts')
  const folder = sbomFolder(places)
  await mkdir(folder, { recursive: true })
  const written: Sbom[] = []
  for (const seen of images) {
    const platform = formatPlatform(seen.image.platform)
    const inventory = inventoryOf(
      job,
      seen,
      pushed.find(({ image }) => image.platform === platform),
    )
    const [name = ''] = inventory.image.name.split('/').slice(-1)
    const base = `${name}.${platform}`.replace(/[^\w.-]+/g, '-')
    const documents = sbomDocuments(inventory).map(document => ({
      ...document,
      file: join(folder, base + document.extension),
    }))
    for (const { file, text } of documents) await writeFile(file, text)
    written.push({ platform, documents })
    const files = documents.map(({ file }) => file).join(', ')
    runner.info(`SBOM of ${platform}: ${count(inventory.packages.length, 'store path')}: ${files}`)
  }
  report.sbom = written.map(({ platform, documents }) => ({
    platform,
    files: documents.map(({ file }) => file),
  }))
  return written
}

function inventoryOf({ inputs }: Job, seen: Seen, pushed: PushedImage | undefined): Inventory {
  const { wanted, image, contents } = seen
  return {
    image: {
      name: inputs.repository?.name ?? wanted.evaluated.installable.text,
      digest: pushed?.child.digest,
      architecture: image.platform.architecture,
      created: createdAt(image),
    },
    layers: pushed?.image.layers.map(({ digest }) => digest) ?? [],
    outside: contents?.outside ?? [],
    packages: packagesOf(seen),
  }
}

function packagesOf({ contents, known }: Seen): StorePackage[] {
  return (contents?.storePaths ?? []).map(({ path, layer }) => {
    const info = known.get(path)
    return { path, layer, known: info, meta: undefined, vendored: [] }
  })
}

const configSchema = z.object({ created: z.string().optional().catch(undefined) })

/** When the image says that it was made; the beginning of time where it does not, as Nix has it for files. */
function createdAt(image: Image): Date {
  const config = image.config(image.layers.map(({ diffId }) => diffId ?? sha256('')))
  const { created } = configSchema.parse(JSON.parse(config.toString('utf8')))
  const date = new Date(created ?? 0)
  return date.getTime() >= 0 && date.getUTCFullYear() <= 9999 ? date : new Date(0)
}
