export const emptyIndex = Object.freeze({
  packs: new Map(),
  paths: new Map(),
  elsewhere: new Set(),
  images: new Map(),
  layers: new Map(),
  recent: new Set(),
  tooLarge: new Map(),
  retired: new Map(),
})

/** The 32 characters by which paths are known, of a name or of a whole store path. */
export function hashOf(path) {
  return path.startsWith('/') ? path.slice(path.lastIndexOf('/') + 1).slice(0, 32) : path.slice(0, 32)
}

/** Bytes of all packs that the index names. */
export function sizeOf(index) {
  return index.packs.values().reduce((sum, pack) => sum + pack.size, 0)
}
