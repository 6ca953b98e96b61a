import { rawOf } from '../../util/raw-path.ts'
import { type Part, sizeOfParts, writeParts } from './blocks.ts'
import { type Buffers, fresh } from './buffers.ts'
import { memberTypes } from './header.ts'
import { pythonHeader, pythonSort } from './python.ts'
import { walk } from './tree.ts'

/** A layer as streamLayeredImage's `conf` describes it. */
export type StoreLayer = {
  /** Absolute, in the order of the conf. */
  readonly paths: readonly string[]
  /** Seconds since 1970, for all that is in it. */
  readonly mtime: number
  readonly uid: number
  readonly gid: number
  readonly uname: string
  readonly gname: string
}

/** Python's tarfile fills its last record. */
const recordSize = 10240

/**
 * A layer of store paths as an uncompressed tar, byte for byte as nixpkgs' streamLayeredImage writes it:
 * https://github.com/NixOS/nixpkgs/blob/master/pkgs/build-support/docker/stream_layered_image.py
 * @param root where `/` is
 * @param buffers memory for the chunks
 * @returns chunks of at most 1 MiB
 * @throws UserError when something cannot be read or changes meanwhile
 */
export function archiveStoreLayer(
  layer: StoreLayer,
  root = '',
  buffers: Buffers = fresh,
): Generator<Uint8Array> {
  return writeParts(partsOf(layer, rawOf(root)), rawOf(root), recordSize, buffers)
}

/** Bytes that `archiveStoreLayer` gives, without reading any file. */
export function sizeOfStoreLayer(layer: StoreLayer, root = ''): number {
  return sizeOfParts(partsOf(layer, rawOf(root)), recordSize)
}

function* partsOf(layer: StoreLayer, root: string): Generator<Part> {
  const { mtime, uid, gid } = layer
  const owner = { mtime, uid, gid, uname: rawOf(layer.uname), gname: rawOf(layer.gname) }
  for (const name of ['/nix', '/nix/store']) {
    const header = pythonHeader({ ...owner, type: '5', name, target: '', mode: 0o755, size: 0 })
    yield { header, size: 0, path: '' }
  }
  for (const path of layer.paths) {
    for (const { path: name, kind, mode, size, target } of walk(rawOf(path), root, pythonSort)) {
      const header = pythonHeader({ ...owner, type: memberTypes[kind], name, target, mode, size })
      yield { header, size, path: name }
    }
  }
}
