import { closeSync, openSync } from 'node:fs'
import { rawOf } from '../../util/raw-path.js'
import { readable } from '../archive/tree.js'
import { spoolArchive } from '../archive-file.js'
import { tarOf } from '../layer-tar.js'

import { addNix2containerLayer, addStoreLayer } from './store-layer.js'
import { addTar } from './tar-layer.js'
import { Tree } from './tree.js'

/**
 * Opens an image's files, all of its layers merged. Of archives the headers are read, of the store nothing that is not
 * asked for. The image has to stay open; the caller closes what it gets.
 * @param options.scratch an existing directory that has room for layers that come packed: they are unpacked there
 * @throws UserError when a layer is damaged or cannot be read, has too many files, or there is no room to unpack it
 */
export async function openRootFs(image, { scratch, limits = {} }) {
  const tree = new Tree(limits.files ?? 2_000_000)
  const closing = []
  const close = async () => {
    for (const one of closing.splice(0)) await one()
  }

  const add = async ({ source, diffId, key }, layer) => {
    if (source.kind === 'store') return addStoreLayer(tree, layer, source.layer)
    if (source.kind === 'nix2container') return addNix2containerLayer(tree, layer, source.paths)
    const name = diffId ?? key
    const { file, offset, length } = source
    if (source.packing !== undefined) {
      const unpacked = await spoolArchive(sink => sink(tarOf(source)), { name, scratch })
      closing.push(unpacked.close)
      addTar(tree, layer, { name, fd: unpacked.descriptor, offset: 0, length: unpacked.size })
    } else if (typeof file === 'number') addTar(tree, layer, { name, fd: file, offset, length })
    else {
      const fd = readable(rawOf(file), () => openSync(file, 'r'))
      closing.push(() => closeSync(fd))
      addTar(tree, layer, { name, fd, offset, length })
    }
  }

  try {
    for (const [i, layer] of image.layers.entries()) await add(layer, i)
  } catch (error) {
    await close()
    throw error
  }
  return rootFs(tree, close)
}

function rootFs(tree, close) {
  const found = at => at && { path: at.path, entry: at.node.entry }
  return Object.freeze({
    find: path => found(tree.find(path, true)),
    look: path => found(tree.find(path, false)),
    list(path) {
      const node = tree.find(path, true)?.node
      return node?.type === 'directory' ? [...node.children.keys()].sort() : []
    },
    read({ path, entry }, offset = 0, length = entry.size) {
      const node = tree.find(path, false)?.node
      if (node?.type !== 'file') throw new Error(`${path} is no file of the image`)
      return node.read(offset, Math.max(0, Math.min(length, entry.size - offset)))
    },
    *named(passes) {
      for (const { directory, name, node } of tree.all())
        if (passes(name)) yield { path: directory + name, entry: node.entry }
    },
    close,
  })
}
