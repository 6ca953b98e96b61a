import encoder from './encoder.json' with { type: 'json' }

/** Bytes that a chunk may refer back to: the largest distance of DEFLATE. */
export const windowSize = 32 * 1024

/**
 * Bytes that are compressed at once. The chunks decide the bytes that come out, so the size is always the same; with
 * smaller ones more is lost at their ends, with larger ones more memory and parallelism.
 */
export const chunkSize = 1024 * 1024

/**
 * An encoder of DEFLATE in WebAssembly, with 3 MiB of its own. Of a chunk it makes whole bytes that depend on the chunk
 * only: those of all chunks, one after another, are a stream.
 * https://www.rfc-editor.org/rfc/rfc1951
 */
export function createDeflater() {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(encoder.wasm, 'base64')))
  const { memory, inputAt, outputAt, deflate } = instance.exports
  const [input, output] = [inputAt(), outputAt()]
  const bytesOfMemory = new Uint8Array(memory.buffer)
  return ({ bytes, before, level, final }) => {
    const size = bytes.length - before
    if (before > windowSize || size < 0 || size > chunkSize) throw new RangeError('no chunk has this size')
    bytesOfMemory.set(bytes, input)
    return bytesOfMemory.slice(output, output + deflate(before, size, level, final))
  }
}
