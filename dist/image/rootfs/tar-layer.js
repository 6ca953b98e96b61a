import { readSync } from 'node:fs'
import { posix } from 'node:path'
import { scanTar } from '../../util/tar.js'
import { decode } from '../archive/utf8.js'
import { damagedLayer } from '../damaged.js'
import { readFrom } from './disk.js'
import { Node } from './node.js'

const whiteout = '.wh.'
const opaque = '.wh..wh..opq'
/** What AUFS keeps for itself in archives of old: files that hard links lead to. */
const aufs = '.wh..wh.'

/**
 * Puts a layer's archive into the tree. Its headers are read, in one go.
 * @throws UserError when it is damaged, or the tree has too many files then
 */
export function addTar(tree, layer, part) {
  const origin = {
    layer,
    entry: () => {
      throw new Error('a member without its header')
    },
    children: () => [],
    read: (at, offset, length) => readFrom(part.fd, part.offset + Number(at) + offset, length),
  }
  const add = member => {
    const path = pathOf(member.name)
    if (path === undefined) return
    const name = path.slice(path.lastIndexOf('/') + 1)
    const directory = path.slice(0, path.length - name.length)
    if (name === opaque) tree.hideIn(directory, layer)
    else if (name.startsWith(whiteout) && !name.startsWith(aufs))
      tree.hide(directory + name.slice(whiteout.length), layer)
    else tree.put(path, nodeOf(member, path))
  }
  const nodeOf = ({ type, mode, uid, gid, size, offset, linkName }, path) => {
    const target = decode(linkName)
    if (type !== 'hardlink')
      return new Node(origin, offset, { entry: { type, mode, uid, gid, size, target, layer } })
    const linked = tree.find(pathOf(linkName) ?? '', false)
    if (linked === undefined || linked.node.type === 'directory')
      throw damagedLayer(part.name, `has a hard link ${path} to ${target}, which is no file in it`)
    return linked.node.linked(layer)
  }

  const source = { name: part.name, size: part.length }
  // The tree counts its files.
  const scan = scanTar(source, { members: Number.POSITIVE_INFINITY, unmarkedEnd: true }, add)
  const read = reader(part)
  for (let step = scan.next(); !step.done; ) step = scan.next(read(step.value.position, step.value.length))
  tree.removeFromRoot(name => name.startsWith(aufs))
}

/** @returns undefined for what would be outside of the image: it is not unpacked */
function pathOf(raw) {
  const name = decode(raw)
  const plain = name.replace(/^(\.?\/)+/, '').replace(/\/+$/, '')
  // Nearly all names are like that. What follows is for those with `.`, `..` or nothing between slashes.
  if (!/(^|\/)\.{0,2}(\/|$)/.test(plain)) return plain
  const path = posix.normalize(name).replace(/^\/+|\/+$/g, '')
  if (path === '.') return ''
  return path === '..' || path.startsWith('../') ? undefined : path
}

/** Bytes that are read at once: of small members there are several in so many. */
const window = 16 * 1024

/** Reads into one buffer: what it gives is there until it is asked again. */
function reader({ fd, offset, length: size, name }) {
  let buffer = Buffer.allocUnsafeSlow(window)
  let start = 0
  let end = 0
  return (position, length) => {
    if (position < start || position + length > end) {
      if (length > buffer.length) buffer = Buffer.allocUnsafeSlow(length)
      start = position
      end = position + readSync(fd, buffer, 0, Math.min(buffer.length, size - position), offset + position)
      if (end < position + length) throw damagedLayer(name, 'became shorter while it was read')
    }
    return buffer.subarray(position - start, position - start + length)
  }
}
