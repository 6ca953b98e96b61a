import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { fsPath } from '../../util/raw-path.js'
import { look, readable } from '../archive/tree.js'
import { decode } from '../archive/utf8.js'

import { Node } from './node.js'

/**
 * Files of the store as they would be in a layer, each looked at when it is asked for. A place is a raw path.
 * @param owner of all of them
 */
export function diskOrigin(layer, owner) {
  const origin = {
    layer,
    entry(at) {
      const { kind, mode, size, target } = look(String(at), '')
      return { type: kind, mode, ...owner, size, target: decode(target), layer }
    },
    *children(at) {
      const path = String(at)
      const names = readable(path, () =>
        readdirSync(fsPath(path), { encoding: 'latin1', withFileTypes: true }),
      )
      for (const dirent of names) {
        const type = typeOf(dirent)
        yield [decode(dirent.name), new Node(origin, `${path}/${dirent.name}`, type && { type })]
      }
    },
    read(at, offset, length) {
      const path = String(at)
      const fd = readable(path, () => openSync(fsPath(path), 'r'))
      try {
        return readable(path, () => readFrom(fd, offset, length))
      } finally {
        closeSync(fd)
      }
    },
  }
  return origin
}

/** Bytes of an open file: `length`, or fewer at its end. */
export function readFrom(fd, offset, length) {
  const bytes = Buffer.alloc(length)
  let done = 0
  while (done < length) {
    const read = readSync(fd, bytes, done, length - done, offset + done)
    if (read === 0) break
    done += read
  }
  return bytes.subarray(0, done)
}

function typeOf(dirent) {
  if (dirent.isFile()) return 'file'
  if (dirent.isDirectory()) return 'directory'
  return dirent.isSymbolicLink() ? 'symlink' : undefined
}
