/** Reads parts of a file; nothing where they are beyond its end. */
export function readAt(fs, found) {
  const { size } = found.entry
  return (offset, length) =>
    offset >= size ? Buffer.alloc(0) : fs.read(found, offset, Math.min(length, size - offset))
}
