/** Bytes that are read at once. */
export const chunkSize = 1024 * 1024

/** Gives memory for a chunk of an archive: `chunkSize` bytes, with anything in them. */
export type Buffers = () => Buffer

/** Each chunk has memory of its own. */
export const fresh: Buffers = () => Buffer.allocUnsafeSlow(chunkSize)

/**
 * Chunks take turns with the same memory: for who is done with one before the next but one is asked for. Node lets
 * dozens of megabytes gather in each thread before it looks for what is not used any more.
 */
export function takingTurns(): Buffers {
  const buffers = [fresh(), fresh(), fresh()]
  let next = 0
  return () => buffers[next++ % buffers.length] ?? fresh()
}
