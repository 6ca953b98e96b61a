import { type MessagePort, parentPort } from 'node:worker_threads'
import { type Chunk, createDeflater } from './deflater.ts'

export type Deflated = {
  readonly deflated: Uint8Array<ArrayBuffer>
  /** What `bytes` of the chunk was in, to be used again. */
  readonly buffer: ArrayBuffer
}

/** The thread: it is sent ports, and answers each chunk that comes from one with what it made of it, in their order. */
export function serveDeflate(): void {
  const deflate = createDeflater()
  parentPort?.on('message', (port: MessagePort) => {
    port.on('message', (chunk: Chunk & { readonly bytes: Uint8Array<ArrayBuffer> }) => {
      const deflated = deflate(chunk)
      const { buffer } = chunk.bytes
      const answer: Deflated = { deflated, buffer }
      port.postMessage(answer, [deflated.buffer, buffer])
    })
  })
}
