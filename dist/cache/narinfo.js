/** Where the store is; part of every path's hash, so that packs of another place are of no use. */
export const storeDir = '/nix/store'

/** What a binary cache says of itself in `nix-cache-info`. */
export const cacheInfo = `StoreDir: ${storeDir}\nWantMassQuery: 1\nPriority: 1\n`

/** Where an ordinary binary cache has the archive of a path, relative to its root. */
export function narFile(fileHash) {
  return `nar/${fileHash}.nar.zst`
}

/**
 * The description of a path in a binary cache, in the fields and order in which Nix writes them.
 * @param url where the compressed archive is, relative to the cache's root
 */
export function renderNarInfo(path, url) {
  const lines = [
    `StorePath: ${storeDir}/${path.name}`,
    `URL: ${url}`,
    'Compression: zstd',
    `FileHash: sha256:${path.fileHash}`,
    `FileSize: ${path.fileSize}`,
    `NarHash: sha256:${path.narHash}`,
    `NarSize: ${path.narSize}`,
    `References: ${path.references.join(' ')}`,
    ...(path.deriver === undefined ? [] : [`Deriver: ${path.deriver}`]),
    ...(path.signatures ?? []).map(signature => `Sig: ${signature}`),
    ...(path.ca === undefined ? [] : [`CA: ${path.ca}`]),
  ]
  return `${lines.join('\n')}\n`
}
