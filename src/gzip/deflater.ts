import encoder from './encoder.json' with { type: 'json' }

/** Bytes that a chunk may refer back to: the largest distance of DEFLATE. */
export const windowSize = 32 * 1024

/**
 * Bytes that are compressed at once. The chunks decide the bytes that come out, so the size is always the same; with
 * smaller ones more is lost at their ends, with larger ones more memory and parallelism.
 */
export const chunkSize = 1024 * 1024

/** A piece of a DEFLATE stream that is to be made. */
export type Chunk = {
  /** The end of what comes before it in the stream, at most `windowSize`, then its bytes, at most `chunkSize`. */
  readonly bytes: Uint8Array
  /** How many of them come before it. */
  readonly before: number
  /** 1 to 9. */
  readonly level: number
  /** Whether the stream ends with it. */
  readonly final: boolean
}

/** What src/gzip/encoder/deflate.ts exports. */
type Encoder = {
  readonly memory: { readonly buffer: ArrayBuffer }
  inputAt(): number
  outputAt(): number
  deflate(before: number, size: number, level: number, final: boolean): number
}

/**
 * An encoder of DEFLATE in WebAssembly, with 3 MiB of its own. Of a chunk it makes whole bytes that depend on the chunk
 * only: those of all chunks, one after another, are a stream.
 * https://www.rfc-editor.org/rfc/rfc1951
 */
export function createDeflater(): (chunk: Chunk) => Uint8Array<ArrayBuffer> {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(encoder.wasm, 'base64')))
  const { memory, inputAt, outputAt, deflate } = instance.exports as Encoder
  const [input, output] = [inputAt(), outputAt()]
  const bytesOfMemory = new Uint8Array(memory.buffer)
  return ({ bytes, before, level, final }) => {
    const size = bytes.length - before
    if (before > windowSize || size < 0 || size > chunkSize) throw new RangeError('no chunk has this size')
    bytesOfMemory.set(bytes, input)
    return bytesOfMemory.slice(output, output + deflate(before, size, level, final))
  }
}
