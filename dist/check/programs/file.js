/** Reads parts of a file; nothing where they are beyond its end. */
export function readAt(fs, found) {
  const { size } = found.entry
  return (offset, length) =>
    offset >= size ? Buffer.alloc(0) : fs.read(found, offset, Math.min(length, size - offset))
}

/** A text file, or nothing where there is none, or a large one. */
export function textAt(fs, path, most = 1024 * 1024) {
  const found = fs.find(path)
  return found?.entry.type === 'file' && found.entry.size <= most ? fs.read(found).toString('utf8') : ''
}
