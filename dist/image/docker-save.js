import { createHash } from 'node:crypto'
import { sha256 } from '../util/digest.js'
import { padding } from './archive/blocks.js'
import { sizeOfNix2containerLayer } from './archive/nix2container-layer.js'
import { pythonHeader } from './archive/python.js'
import { sizeOfStoreLayer } from './archive/store-layer.js'
import { damagedLayer } from './damaged.js'
import { bytesOf, tarOf } from './layer-tar.js'

/**
 * An image as the archive that `docker load` and `podman load` read, layer by layer: nothing is kept. Layers that come
 * packed stay so.
 * https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format
 * @param references `name:tag`, what the image is called; may be empty
 * @param written gets the image id, the digest of the config, before the archive ends
 * @throws UserError when a layer is not what the image claims, or cannot be read
 */
export async function* dockerArchive(image, references, written) {
  const names = []
  const diffIds = []
  for (const { source, diffId: claimed } of image.layers) {
    const name = `${names.length}/layer.tar`
    const size = sizeOf(source)
    yield header(name, size)
    const hash = createHash('sha256')
    // Packed ones are not unpacked for this: who loads them does that, and compares with the config.
    const packed = source.kind === 'file' && source.packing !== undefined
    for await (const chunk of packed ? bytesOf(source) : tarOf(source)) {
      hash.update(chunk)
      yield chunk
    }
    yield Buffer.alloc(padding(size))
    const diffId = packed && claimed !== undefined ? claimed : `sha256:${hash.digest('hex')}`
    if (claimed !== undefined && claimed !== diffId) throw damagedLayer(claimed, `has the digest ${diffId}`)
    names.push(name)
    diffIds.push(diffId)
  }
  const config = image.config(diffIds)
  const id = sha256(config)
  const configName = `${id.slice(7)}.json`
  const manifest = Buffer.from(JSON.stringify([{ Config: configName, RepoTags: references, Layers: names }]))
  for (const [name, bytes] of [
    [configName, config],
    ['manifest.json', manifest],
  ]) {
    yield header(name, bytes.length)
    yield bytes
    yield Buffer.alloc(padding(bytes.length))
  }
  written(id)
  yield Buffer.alloc(1024)
}

/** Bytes that a layer takes up in the archive. */
function sizeOf(source) {
  if (source.kind === 'file') return source.length
  return source.kind === 'store' ? sizeOfStoreLayer(source.layer) : sizeOfNix2containerLayer(source.paths)
}

function header(name, size) {
  const nobody = { target: '', uid: 0, gid: 0, uname: '', gname: '', mtime: 0 }
  return pythonHeader({ ...nobody, type: '0', name, mode: 0o644, size })
}
