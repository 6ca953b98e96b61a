/** What people write by hand is far smaller; what is larger is not read. */
const limit = 1024 * 1024

/** The text of the file that a path leads to; undefined where there is none, and where it is too large to be text. */
export function readText(fs, path) {
  const found = fs.find(path)
  if (found?.entry.type !== 'file' || found.entry.size > limit) return undefined
  return fs.read(found).toString('utf8')
}

export function isDirectory(fs, path) {
  return fs.find(path)?.entry.type === 'directory'
}
