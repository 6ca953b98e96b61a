import { openRootFs } from '../image/rootfs/open.js'
import { knownPaths } from '../image/store-paths.js'

import { pathInfo } from '../nix/cli.js'

import { contentsOf } from '../sbom/contents.js'

const store = '/nix/store'

/**
 * Sees what is in each image, for its SBOM.
 * @throws UserError when a layer cannot be read
 */
export async function lookInto(job, nix, images) {
  const seen = []
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
