import type { Found, RootFs } from '../../image/rootfs/model.ts'
import type { Read } from './elf.ts'

/** Reads parts of a file; nothing where they are beyond its end. */
export function readAt(fs: RootFs, found: Found): Read {
  const { size } = found.entry
  return (offset, length) =>
    offset >= size ? Buffer.alloc(0) : fs.read(found, offset, Math.min(length, size - offset))
}
