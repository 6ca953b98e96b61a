import { openRootFs } from '../image/rootfs/open.ts'
import { knownPaths } from '../image/store-paths.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import type { Nix, PathInfo } from '../nix/model.ts'
import { contentsOf } from '../sbom/contents.ts'
import type { Contents } from '../sbom/model.ts'
import type { OpenedImage } from './images.ts'

const store = '/nix/store'

/** An image, and what it was seen to hold. */
export type Seen = OpenedImage & {
  readonly contents: Contents
  /** What Nix knows of its store paths, as far as this store has them. */
  readonly known: ReadonlyMap<string, PathInfo>
}

/**
 * Sees what is in each image, for its SBOM.
 * @throws UserError when a layer cannot be read
 */
export async function lookInto(job: Job, nix: Nix, images: readonly OpenedImage[]): Promise<readonly Seen[]> {
  const seen: Seen[] = []
  for (const opened of images) {
    const fs = await openRootFs(opened.image, { scratch: job.places.scratch })
    try {
      const paths = fs.list(store).map(name => `${store}/${name}`)
      const known = await knownPaths(paths, store, paths => pathInfo(nix, paths))
      seen.push({ ...opened, known, contents: contentsOf(fs, store) })
    } finally {
      await fs.close()
    }
    job.signal.throwIfAborted()
  }
  return seen
}
