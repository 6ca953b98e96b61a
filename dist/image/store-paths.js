import { dirname } from 'node:path'

/** https://nix.dev/manual/nix/2.34/protocols/store-path */
const storeName = /^[\w+?=-][\w+.?=-]*$/

/**
 * What is known of paths that an image names. Nix is asked about what can be a path of the store alone: it would take
 * `github:owner/repo` for a flake, and evaluate it.
 * @param store the store's directory
 */
export async function knownPaths(paths, store, pathInfo) {
  const possible = paths.filter(
    path => dirname(path) === store && storeName.test(path.slice(store.length + 1)),
  )
  return await pathInfo([...new Set(possible)])
}
