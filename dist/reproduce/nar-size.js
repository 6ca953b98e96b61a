import { walk } from '../image/archive/tree.js'
import { rawOf } from '../util/raw-path.js'

/**
 * Bytes of the NAR of what is at a path, which no program of Nix says of a path that is not in its database.
 * https://nix.dev/manual/nix/latest/protocols/nix-archive
 */
export function narSizeOf(path) {
  const raw = rawOf(path)
  let size = texts('nix-archive-1')
  for (const entry of walk(raw, '', names => names)) {
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1)
    if (entry.path !== raw) size += texts('entry', '(', 'name', name, 'node', ')')
    size += texts('(', 'type', ')')
    if (entry.kind === 'directory') size += texts('directory')
    else if (entry.kind === 'symlink') size += texts('symlink', 'target', entry.target)
    else size += texts('regular', 'contents') + bytes(entry.size)
    if (entry.kind === 'file' && entry.mode & 0o100) size += texts('executable', '')
  }
  return size
}

/** Each with its length before it, filled up to eight bytes. */
function texts(...values) {
  return values.reduce((sum, { length }) => sum + bytes(length), 0)
}

const bytes = length => 8 + Math.ceil(length / 8) * 8
