import { chunkSize, createDeflater, windowSize } from './deflater.js'

/** Chunks that a thread is given at once: one to work on, one to go on with. */
const ahead = 2

/** @param ports as `DeflateThreads.connect` gives them, one at least. Twice as many chunks may be in memory. */
export function deflatePool(ports) {
  const threads = ports.map(port => ({ port, waiting: [] }))
  const turns = []
  const buffers = []
  let room = ports.length * ahead
  let here
  let failure

  const fail = error => {
    failure ??= error
    for (const { reject } of [turns, ...threads.map(({ waiting }) => waiting)].flat()) reject(failure)
  }
  for (const { port, waiting } of threads) {
    port.on('message', ({ deflated, buffer }) => {
      buffers.push(new Uint8Array(buffer))
      waiting.shift()?.resolve(deflated)
    })
    port.on('close', () => fail(new Error('a thread that compresses has ended')))
  }

  return {
    buffer: () => buffers.pop() ?? new Uint8Array(windowSize + chunkSize),
    async room() {
      if (failure !== undefined) throw failure
      if (room > 0) {
        room--
        return
      }
      const turn = Promise.withResolvers()
      turns.push(turn)
      await turn.promise
    },
    async deflate(chunk) {
      if (failure !== undefined) throw failure
      const result = Promise.withResolvers()
      const thread = threads.reduce((a, b) => (b.waiting.length < a.waiting.length ? b : a))
      thread.waiting.push(result)
      thread.port.postMessage(chunk, [chunk.bytes.buffer])
      return result.promise
    },
    release() {
      const turn = turns.shift()
      if (turn === undefined) room++
      else turn.resolve()
    },
    deflateHere(chunk) {
      here ??= createDeflater()
      return here(chunk)
    },
    close() {
      fail(new Error('the threads that compress are closed'))
      for (const { port } of threads) port.close()
    },
  }
}
