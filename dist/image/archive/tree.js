import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { messageOf, UserError } from '../../util/errors.js'
import { fsPath, textOf } from '../../util/raw-path.js'

/**
 * A path and, if it is a directory, all below it: each directory before what it holds. Symlinks are not followed.
 * Sync, as all of this folder is: it is work for a thread of its own, and there are tens of thousands of small files.
 * @param path raw and absolute
 * @param root raw; put before each path where the file system is asked
 * @param sort puts the raw names in one directory into order
 * @throws UserError when something cannot be read, or is what no store path can hold
 */
export function* walk(path, root, sort) {
  const pending = [path]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const entry = look(at, root)
    yield entry
    if (entry.kind !== 'directory') continue
    const names = sort(readable(at, () => readdirSync(fsPath(root + at), 'latin1')))
    for (const name of names.reverse()) pending.push(`${at}/${name}`)
  }
}

/**
 * What is at a path, symlinks not followed.
 * @param path raw and absolute
 * @param root raw; put before the path where the file system is asked
 * @throws UserError when it cannot be read, or is what no store path can hold
 */
export function look(path, root) {
  const file = fsPath(root + path)
  const stats = readable(path, () => lstatSync(file))
  const mode = stats.mode & 0o7777
  if (stats.isFile()) return { path, kind: 'file', mode, size: stats.size, target: '' }
  if (stats.isDirectory()) return { path, kind: 'directory', mode, size: 0, target: '' }
  // Python's tarfile would archive a pipe or device as such, Go's writer would wait for one; no NAR can hold one.
  if (!stats.isSymbolicLink())
    throw new UserError(`${quoted(path)} is a socket, pipe or device, which an image's layer cannot hold.`, {
      advice: 'Nix makes no such store path: find out what wrote to the store.',
    })
  const target = readable(path, () => readlinkSync(file, 'latin1'))
  return { path, kind: 'symlink', mode, size: 0, target }
}

/** Runs what reads a raw path. @throws UserError that names it */
export function readable(path, read) {
  try {
    return read()
  } catch (error) {
    throw new UserError(`${quoted(path)} cannot be read for the image: ${messageOf(error)}.`, {
      advice:
        'A store path must stay as Nix made it: see that nothing collects garbage or writes there meanwhile.',
      cause: error,
    })
  }
}

/** A raw path, fit for a message. */
export function quoted(path) {
  const text = textOf(path)
  return /[^ -~]/.test(text) ? JSON.stringify(text) : text
}
