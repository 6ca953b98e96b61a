import { dirname } from 'node:path'

/** What Nix knows of a store path. */
export type StoreInfo = {
  /** `sha256-<base64>` */
  readonly narHash: string
  /** Bytes. */
  readonly narSize: number
}

/** What Nix knows of store paths, by path: of the valid ones only. */
export type StorePaths<Known extends StoreInfo = StoreInfo> = ReadonlyMap<string, Known>

export type PathInfo<Known extends StoreInfo = StoreInfo> = (
  paths: readonly string[],
) => Promise<StorePaths<Known>>

/** https://nix.dev/manual/nix/2.34/protocols/store-path */
const storeName = /^[\w+?=-][\w+.?=-]*$/

/**
 * What is known of paths that an image names. Nix is asked about what can be a path of the store alone: it would take
 * `github:owner/repo` for a flake, and evaluate it.
 * @param store the store's directory
 */
export async function knownPaths<Known extends StoreInfo>(
  paths: readonly string[],
  store: string,
  pathInfo: PathInfo<Known>,
): Promise<StorePaths<Known>> {
  const possible = paths.filter(
    path => dirname(path) === store && storeName.test(path.slice(store.length + 1)),
  )
  return await pathInfo([...new Set(possible)])
}
