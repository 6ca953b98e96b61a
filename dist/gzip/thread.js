import { parentPort } from 'node:worker_threads'
import { createDeflater } from './deflater.js'

/** The thread: it is sent ports, and answers each chunk that comes from one with what it made of it, in their order. */
export function serveDeflate() {
  const deflate = createDeflater()
  parentPort?.on('message', port => {
    port.on('message', chunk => {
      const deflated = deflate(chunk)
      const { buffer } = chunk.bytes
      const answer = { deflated, buffer }
      port.postMessage(answer, [deflated.buffer, buffer])
    })
  })
}
