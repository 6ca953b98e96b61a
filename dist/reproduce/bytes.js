/** Bytes that are read at a time. */
const stride = 256 * 1024

/** All bytes of a source. */
export async function* chunksOf(source, { start, end } = whole(source)) {
  for (let at = start; at < end; at += stride) yield await source.read(at, Math.min(stride, end - at))
}

function whole({ size }) {
  return { start: 0, end: size }
}

/** A source that gives nothing any more when `signal` aborts: what is compared may be large. */
export function endedBy(signal, source) {
  return {
    ...source,
    read: async (position, length) => {
      signal?.throwIfAborted()
      return await source.read(position, length)
    },
  }
}

/** A source for many small reads, one after the other: it is read in large pieces. */
export function buffered(source) {
  let piece = Buffer.alloc(0)
  let start = 0
  return {
    name: source.name,
    size: source.size,
    async read(position, length) {
      if (length > stride) return await source.read(position, length)
      if (position < start || position + length > start + piece.length) {
        piece = await source.read(position, Math.min(stride, source.size - position))
        start = position
      }
      return piece.subarray(position - start, position - start + length)
    },
  }
}

/** A part of a source, as a source. */
export function slice(source, offset, size) {
  return {
    name: source.name,
    size,
    read: (position, length) => source.read(offset + position, length),
  }
}

/**
 * Where the first byte is that two sources do not have in common; undefined when they are the same. Where one is longer
 * that is the end of the other.
 * @param skip ranges that do not count, in order
 */
export async function firstDifference(first, second, skip = []) {
  const shorter = Math.min(first.size, second.size)
  let start = 0
  for (const { start: end, end: next } of [...skip, { start: shorter, end: shorter }]) {
    for (let at = start; at < end; at += stride) {
      const length = Math.min(stride, end - at)
      const [one, other] = await Promise.all([first.read(at, length), second.read(at, length)])
      if (!one.equals(other)) return at + one.findIndex((byte, i) => byte !== other[i])
    }
    start = next
  }
  return first.size === second.size ? undefined : shorter
}

/** Bytes in a line of a hex dump, and lines that are shown. */
const line = 16
const lines = 3

/** Reads what is to be shown of a difference: its line, the one before and the one after. */
export async function bytesAt(first, second, offset) {
  const from = Math.max(0, offset - (offset % line) - line)
  const hex = async source =>
    (await readUpTo(source, { start: from, end: from + lines * line })).toString('hex')
  return { offset, from, first: await hex(first), second: await hex(second) }
}

/** What there is of a range. */
export async function readUpTo(source, { start, end }) {
  const [from, to] = [Math.min(start, source.size), Math.min(end, source.size)]
  return await source.read(from, Math.max(0, to - from))
}
