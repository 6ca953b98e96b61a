import type { ByteSource } from '../util/tar.ts'
import type { Bytes } from './model.ts'

/** Bytes from `start` up to, not including, `end`. */
export type Range = { readonly start: number; readonly end: number }

/** Bytes that are read at a time. */
const stride = 256 * 1024

/** All bytes of a source. */
export async function* chunksOf(source: ByteSource, { start, end }: Range = whole(source)) {
  for (let at = start; at < end; at += stride) yield await source.read(at, Math.min(stride, end - at))
}

function whole({ size }: ByteSource): Range {
  return { start: 0, end: size }
}

/** A source that gives nothing any more when `signal` aborts: what is compared may be large. */
export function endedBy(signal: AbortSignal | undefined, source: ByteSource): ByteSource {
  return {
    ...source,
    read: async (position, length) => {
      signal?.throwIfAborted()
      return await source.read(position, length)
    },
  }
}

/** A source for many small reads, one after the other: it is read in large pieces. */
export function buffered(source: ByteSource): ByteSource {
  let piece: Buffer = Buffer.alloc(0)
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
export function slice(source: ByteSource, offset: number, size: number): ByteSource {
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
export async function firstDifference(
  first: ByteSource,
  second: ByteSource,
  skip: readonly Range[] = [],
): Promise<number | undefined> {
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
export async function bytesAt(first: ByteSource, second: ByteSource, offset: number): Promise<Bytes> {
  const from = Math.max(0, offset - (offset % line) - line)
  const hex = async (source: ByteSource) =>
    (await readUpTo(source, { start: from, end: from + lines * line })).toString('hex')
  return { offset, from, first: await hex(first), second: await hex(second) }
}

/** What there is of a range. */
export async function readUpTo(source: ByteSource, { start, end }: Range): Promise<Buffer> {
  const [from, to] = [Math.min(start, source.size), Math.min(end, source.size)]
  return await source.read(from, Math.max(0, to - from))
}
