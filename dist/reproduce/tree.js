import { walk } from '../image/archive/tree.js'
import { openArchiveFile } from '../image/archive-file.js'
import { fsPath, rawOf, textOf } from '../util/raw-path.js'
import { compareFiles } from './file.js'

/**
 * What differs between two store paths, in the order of their files.
 * @param options.where what differences call the path where it is no folder
 * @throws UserError when something cannot be read, or the disk is full
 */
export async function* compareTrees(first, second, options) {
  const [one, other] = [entriesOf(first), entriesOf(second)]
  const names = new Set([...one.keys(), ...other.keys()])
  for (const name of [...names].sort()) {
    const where = textOf(name.slice(1)) || options.where
    const [entry, now] = [one.get(name), other.get(name)]
    if (entry === undefined || now === undefined) {
      yield { where, kind: now === undefined ? 'removed' : 'added' }
    } else if (entry.kind !== now.kind) yield { where, kind: 'type' }
    else if (entry.target !== now.target) yield { where, kind: 'link' }
    else if (entry.kind === 'file') yield* compareTwo(entry, now, { ...options, where })
  }
}

/** By name: empty for the path itself, and with a slash before each of the others. */
function entriesOf(path) {
  const raw = rawOf(path)
  const entries = [...walk(raw, '', names => names)]
  return new Map(entries.map(entry => [entry.path.slice(raw.length), entry]))
}

async function* compareTwo(first, second, options) {
  const { where } = options
  // A store has no other modes.
  if ((first.mode & 0o111) !== (second.mode & 0o111)) yield { where, kind: 'mode' }
  const one = await openArchiveFile(fsPath(first.path))
  const other = await openArchiveFile(fsPath(second.path))
  try {
    yield* compareFiles(one, other, options)
  } finally {
    await one.close()
    await other.close()
  }
}
