import type { Image } from '../image/model.ts'
import { openRootFs } from '../image/rootfs/open.ts'
import { knownPaths } from '../image/store-paths.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import type { Nix, PathInfo } from '../nix/model.ts'
import { contentsOf } from '../sbom/contents.ts'
import type { Contents } from '../sbom/model.ts'
import type { WantedImage } from './build.ts'
import { findingsOf, type PlatformFinding, tellFindings } from './check.ts'

const store = '/nix/store'

export type Opened = { readonly wanted: WantedImage; readonly image: Image }

/** An image, and what it was seen to hold. */
export type Seen = Opened & {
  /** Undefined where no SBOM is asked for. */
  readonly contents: Contents | undefined
  /** What Nix knows of its store paths, as far as this store has them. */
  readonly known: ReadonlyMap<string, PathInfo>
}

/**
 * Opens the files of each image, once, for all who want to see them: the inspection, and the SBOM.
 * @throws UserError when the inspection does not let one of them pass
 */
export async function lookInto(job: Job, nix: Nix, images: readonly Opened[]): Promise<readonly Seen[]> {
  const { inputs, places, signal } = job
  const findings: PlatformFinding[] = []
  const seen: Seen[] = []
  for (const opened of images) {
    const { image } = opened
    const fs = await openRootFs(image, { scratch: places.scratch })
    try {
      const paths = fs.list(store).map(name => `${store}/${name}`)
      const known = await knownPaths(paths, store, paths => pathInfo(nix, paths))
      if (inputs.check !== 'off') findings.push(...findingsOf(job, image, fs, known))
      seen.push({ ...opened, known, contents: inputs.sbom ? contentsOf(fs, store) : undefined })
    } finally {
      await fs.close()
    }
    signal.throwIfAborted()
  }
  if (inputs.check !== 'off') await tellFindings(job, findings, images.length > 1)
  return seen
}
