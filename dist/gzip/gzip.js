import { crc32 } from 'node:zlib'
import { chunkSize, windowSize } from './deflater.js'

/** No time, no name, no system: https://www.rfc-editor.org/rfc/rfc1952#section-2.3 */
const header = Buffer.from('1f8b08000000000000ff', 'hex')

/**
 * Compresses on all threads of a pool into one member of gzip. The bytes depend on the input and the level only, not on
 * how it is cut into writes, nor on the number of threads. At most as many chunks as the pool has room for are in
 * memory, and one that is being filled; what fits into one chunk is compressed in this thread.
 * @param options.level 1 to 9
 * @param options.onChunk takes the bytes in order; when it is done they are gone, and the next come
 */
export function gzip(pool, options) {
  const { level, onChunk } = options
  let bytes = pool.buffer()
  /** In `bytes`: the end of what came before the chunk, then the chunk as far as it is there. */
  let before = 0
  let filled = 0
  let crc = 0
  let size = 0
  let failure
  let given
  const giveNext = next => {
    given = next
    // Whoever writes next hears of it.
    next.catch(error => {
      failure ??= { error }
    })
  }
  giveNext((async () => onChunk(header))())

  const give = async (made, previous) => {
    try {
      const [deflated] = await Promise.all([made, previous])
      await onChunk(deflated)
      // Now, not when somebody collects garbage: a thread would let a hundred megabytes wait for that.
      deflated.buffer.transfer(0)
    } finally {
      pool.release()
    }
  }
  const compress = async final => {
    await pool.room()
    const window = bytes.slice(filled - windowSize, filled)
    const made = pool.deflate({ bytes: bytes.subarray(0, filled), before, level, final })
    giveNext(give(made, given))
    if (final) return
    bytes = pool.buffer()
    bytes.set(window)
    before = window.length
    filled = window.length
  }

  return {
    async write(added) {
      if (failure !== undefined) throw failure.error
      crc = crc32(added, crc)
      size += added.length
      for (let from = 0; from < added.length; ) {
        // Only when there is more, so that the last chunk is not empty.
        if (filled === before + chunkSize) await compress(false)
        const some = Math.min(added.length - from, before + chunkSize - filled)
        bytes.set(added.subarray(from, from + some), filled)
        from += some
        filled += some
      }
    },
    async end() {
      if (size <= chunkSize) {
        await given
        await onChunk(pool.deflateHere({ bytes: bytes.subarray(0, filled), before, level, final: true }))
      } else {
        await compress(true)
        await given
      }
      const trailer = Buffer.alloc(8)
      trailer.writeUInt32LE(crc, 0)
      trailer.writeUInt32LE(size % 2 ** 32, 4)
      await onChunk(trailer)
    },
  }
}
