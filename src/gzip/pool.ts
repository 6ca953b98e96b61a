import type { MessagePort } from 'node:worker_threads'
import { type Chunk, chunkSize, createDeflater, windowSize } from './deflater.ts'
import type { Deflated } from './thread.ts'

/** Threads that compress chunks, as one thread sees them. */
export type DeflatePool = {
  /** A buffer for a chunk and what comes before it; its contents are left over from others. */
  buffer(): Uint8Array<ArrayBuffer>
  /** Waits until one more chunk may be in memory. To be called once for each chunk, before `deflate`. */
  room(): Promise<void>
  /** Compresses a chunk; its bytes are in a `buffer`, which is gone then. */
  deflate(chunk: Chunk & { readonly bytes: Uint8Array<ArrayBuffer> }): Promise<Uint8Array<ArrayBuffer>>
  /** To be called when what became of a chunk is not needed any more, once for each. */
  release(): void
  /** Compresses a chunk in this thread: what is small is done before another thread hears of it. */
  deflateHere(chunk: Chunk): Uint8Array
  /** What waits fails. The threads go on, for others. */
  close(): void
}

/** Chunks that a thread is given at once: one to work on, one to go on with. */
const ahead = 2

/** `waiting` is for the answers to come, which are in the order of the chunks. */
type Thread = {
  readonly port: MessagePort
  readonly waiting: PromiseWithResolvers<Uint8Array<ArrayBuffer>>[]
}

/** @param ports as `DeflateThreads.connect` gives them, one at least. Twice as many chunks may be in memory. */
export function deflatePool(ports: readonly MessagePort[]): DeflatePool {
  const threads: readonly Thread[] = ports.map(port => ({ port, waiting: [] }))
  const turns: PromiseWithResolvers<void>[] = []
  const buffers: Uint8Array<ArrayBuffer>[] = []
  let room = ports.length * ahead
  let here: ReturnType<typeof createDeflater> | undefined
  let failure: Error | undefined

  const fail = (error: Error) => {
    failure ??= error
    for (const { reject } of [turns, ...threads.map(({ waiting }) => waiting)].flat()) reject(failure)
  }
  for (const { port, waiting } of threads) {
    port.on('message', ({ deflated, buffer }: Deflated) => {
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
      const turn = Promise.withResolvers<void>()
      turns.push(turn)
      await turn.promise
    },
    async deflate(chunk) {
      if (failure !== undefined) throw failure
      const result = Promise.withResolvers<Uint8Array<ArrayBuffer>>()
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
