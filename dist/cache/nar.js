import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { fsPath } from '../util/raw-path.js'

/**
 * The NAR of a store path, in memory. Names and link targets are bytes; entries are in the order of their bytes.
 * Sync, since it is work for a thread of its own.
 * https://nix.dev/manual/nix/latest/protocols/nix-archive
 * @param narSize bytes that the NAR will have, as Nix knows them
 * @throws Error when the path is not as long, or holds what no NAR can
 */
export function narOf(path, narSize) {
  const nar = Buffer.allocUnsafe(narSize)
  let at = 0
  const room = length => {
    if (at + length > narSize) throw new Error(`${path} is larger than Nix says`)
  }
  const text = value => {
    const length = value.length
    const padded = 8 + Math.ceil(length / 8) * 8
    room(padded)
    nar.fill(0, at, at + padded)
    nar.writeUInt32LE(length, at)
    nar.write(value, at + 8, 'latin1')
    at += padded
  }
  /** @param file a path of which each character is a byte */
  const node = (file, kind) => {
    text('(')
    text('type')
    if (kind === 'link') {
      text('symlink')
      text('target')
      text(readlinkSync(fsPath(file), 'latin1'))
    } else if (kind === 'directory') {
      text('directory')
      const entries = readdirSync(fsPath(file), { withFileTypes: true, encoding: 'latin1' })
      const byName = entries.map(entry => [entry.name, kindOf(entry)])
      for (const [name, kindOfEntry] of byName.sort(([a], [b]) => (a < b ? -1 : 1))) {
        text('entry')
        text('(')
        text('name')
        text(name)
        text('node')
        node(`${file}/${name}`, kindOfEntry)
        text(')')
      }
    } else {
      const fd = openSync(fsPath(file), 'r')
      try {
        contents(fd)
      } finally {
        closeSync(fd)
      }
    }
    text(')')
  }
  const contents = fd => {
    const { mode, size } = fstatSync(fd)
    text('regular')
    if (mode & 0o100) {
      text('executable')
      text('')
    }
    text('contents')
    const padded = 8 + Math.ceil(size / 8) * 8
    room(padded)
    nar.writeBigUInt64LE(BigInt(size), at)
    const end = at + 8 + size
    for (let done = at + 8; done < end; ) {
      const read = readSync(fd, nar, done, end - done, null)
      if (read === 0) throw new Error(`${path} became shorter while it was read`)
      done += read
    }
    nar.fill(0, end, at + padded)
    at += padded
  }
  text('nix-archive-1')
  node(path, kindOf(lstatSync(path)))
  if (at !== narSize) throw new Error(`${path} is smaller than Nix says`)
  return nar
}

function kindOf(stat) {
  if (stat.isFile()) return 'regular'
  if (stat.isDirectory()) return 'directory'
  if (stat.isSymbolicLink()) return 'link'
  throw new Error('neither a file nor a directory nor a link')
}
