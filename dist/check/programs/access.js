import { runtimeMounts } from '../mounts.js'

/** Bits of a permission, as in one octal digit of a mode. */
const [readBit, executeBit] = [4, 1]

/** As the kernel does. */
const mostLinks = 40

export function mayRead(entry, user) {
  return user.uid === 0 || permits(entry, user, readBit)
}

/** Whether a user may run a file, or pass through a directory. */
export function mayExecute(entry, user) {
  if (user.uid !== 0) return permits(entry, user, executeBit)
  // Root passes everywhere, but runs only what somebody may run.
  return entry.type === 'directory' || (entry.mode & 0o111) !== 0
}

/** The first digit that is for the user decides alone: an owner without a right does not get it as one of the others. */
function permits({ mode, uid, gid }, user, bit) {
  const digit = uid === user.uid ? mode >> 6 : user.gids.includes(gid) ? mode >> 3 : mode
  return (digit & bit) !== 0
}

/**
 * Follows a path as the kernel does for a user: all links, and only through directories that he may pass.
 * @param path absolute
 * https://man7.org/linux/man-pages/man7/path_resolution.7.html
 */
export function follow(fs, path, user) {
  const pending = path.split('/').reverse()
  let at = fs.look('/')
  let link
  let links = 0
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const here = at?.path ?? '/'
    // An image without a directory `/` has one when it runs.
    if (at !== undefined && at.entry.type !== 'directory')
      return { is: 'failed', errno: 'ENOTDIR', at: here, link }
    if (name === '' || name === '.') continue
    if (at !== undefined && !mayExecute(at.entry, user))
      return { is: 'failed', errno: 'EACCES', at: here, link }
    const next = name === '..' ? dirname(here) : `${here === '/' ? '' : here}/${name}`
    if (runtimeMounts.includes(next)) return { is: 'mounted' }
    const found = fs.look(next)
    if (found === undefined) return { is: 'failed', errno: 'ENOENT', at: next, link }
    if (found.entry.type !== 'symlink') {
      at = found
      continue
    }
    link = next
    if (++links > mostLinks) return { is: 'failed', errno: 'ELOOP', at: next, link }
    if (found.entry.target.startsWith('/')) at = fs.look('/')
    pending.push(...found.entry.target.split('/').reverse())
  }
  return at === undefined ? { is: 'failed', errno: 'ENOENT', at: '/', link } : { is: 'found', found: at }
}

/** The path without its last name; `/` of what is in it. */
export function dirname(path) {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

/** @param directory absolute */
export function absolute(path, directory) {
  return path.startsWith('/') ? path : `${directory.replace(/\/$/, '')}/${path}`
}

/** The last name of a path. */
export function basename(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}
