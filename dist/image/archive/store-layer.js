import { rawOf } from '../../util/raw-path.js'
import { sizeOfParts, writeParts } from './blocks.js'
import { fresh } from './buffers.js'
import { memberTypes } from './header.js'
import { pythonHeader, pythonSort } from './python.js'
import { walk } from './tree.js'

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
export function archiveStoreLayer(layer, root = '', buffers = fresh) {
  return writeParts(partsOf(layer, rawOf(root)), rawOf(root), recordSize, buffers)
}

/** Bytes that `archiveStoreLayer` gives, without reading any file. */
export function sizeOfStoreLayer(layer, root = '') {
  return sizeOfParts(partsOf(layer, rawOf(root)), recordSize)
}

function* partsOf(layer, root) {
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
