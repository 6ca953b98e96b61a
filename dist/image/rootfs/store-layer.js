import { posix } from 'node:path'
import { rawOf } from '../../util/raw-path.js'
import { membersOfPath } from '../archive/nix2container-layer.js'

import { decode } from '../archive/utf8.js'
import { diskOrigin } from './disk.js'
import { impliedDirectory, Node } from './node.js'

/** Puts a layer into the tree as archive/store-layer.ts would write it. Nothing of its paths is read. */
export function addStoreLayer(tree, layer, { paths, uid, gid }) {
  const origin = diskOrigin(layer, { uid, gid })
  for (const path of ['nix', 'nix/store']) tree.put(path, impliedDirectory(layer, { uid, gid }))
  for (const path of paths) tree.put(path, new Node(origin, rawOf(path)))
}

const types = { 0: 'file', 2: 'symlink', 5: 'directory' }

/**
 * Puts a layer into the tree as archive/nix2container-layer.ts would write it. Of paths that come as they are nothing
 * is read; the others are walked.
 */
export function addNix2containerLayer(tree, layer, paths) {
  const origin = diskOrigin(layer, { uid: 0, gid: 0 })
  for (const path of paths) {
    const { rewrite, perms = [] } = path.options ?? {}
    if (!rewrite?.regex && perms.length === 0) {
      addAbove(tree, layer, path.path)
      tree.put(path.path, new Node(origin, rawOf(path.path)))
    } else
      for (const { member, file } of membersOfPath(path)) {
        const { type, mode, uid, gid, size, target } = member
        const name = posix.normalize(decode(member.name))
        const entry = {
          type: types[type],
          mode: mode % 0o10000,
          uid,
          gid,
          size,
          target: decode(target),
          layer,
        }
        addAbove(tree, layer, name)
        tree.put(name, new Node({ ...origin, children: () => [] }, file, { entry }))
      }
  }
}

/** Directories above what a layer has are in its archive too, unless it has others there. */
function addAbove(tree, layer, path) {
  const missing = []
  for (let end = path.lastIndexOf('/'); end >= 0; end = path.slice(0, end).lastIndexOf('/')) {
    const above = path.slice(0, end)
    if (tree.find(above, false)?.node.entry.layer === layer) break
    missing.push(above)
  }
  for (const above of missing.reverse()) tree.put(above, impliedDirectory(layer))
}
