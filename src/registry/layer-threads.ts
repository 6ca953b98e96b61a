import { Worker } from 'node:worker_threads'
import { type DeflateThreads, startDeflateThreads } from '../gzip/threads.ts'
import { UserError } from '../util/errors.ts'
import type { LayerResult, LayerWorkerData } from './layer-worker.ts'
import type { LayerWork } from './make-layer.ts'
import type { Compression, MadeLayer } from './model.ts'

export type Programs = { readonly layerWorker: string; readonly deflateThread: string }

/** Threads that make layers; each is started when there is work for it. */
export type LayerThreads = {
  /** Layers that are made at once. */
  readonly most: number
  /**
   * Makes a layer as soon as a thread is free.
   * @throws what `makeLayer` throws; Error once they are closed
   */
  make(work: LayerWork): Promise<MadeLayer>
  /** Ends them, whatever they do. A file that one was writing stays. */
  close(): Promise<void>
}

type Thread = { readonly worker: Worker; current: PromiseWithResolvers<LayerResult> | undefined }
type Waiting = { readonly work: LayerWork; readonly result: PromiseWithResolvers<LayerResult> }

/**
 * @param options.programs the built `layer-worker.js` and `deflate-thread.js`
 * @param options.cores threads that compress at once
 */
export function layerThreads(options: {
  readonly programs: Programs
  readonly compression: Compression
  readonly cores: number
}): LayerThreads {
  const { programs, compression, cores } = options
  // gzip has threads of its own, which work on a few layers at once: more would only take memory.
  const most = compression === 'gzip' ? Math.min(cores, 3) : cores
  const threads: Thread[] = []
  const queue: Waiting[] = []
  let deflate: DeflateThreads | undefined
  let closed = false

  const fail = (error: Error) => {
    for (const { current } of threads) current?.reject(error)
  }
  const start = (): Thread => {
    if (compression === 'gzip')
      deflate ??= startDeflateThreads({ worker: programs.deflateThread, threads: cores, onError: fail })
    const ports = deflate?.connect() ?? []
    const workerData: LayerWorkerData = { ports }
    const worker = new Worker(programs.layerWorker, { workerData, transferList: ports })
    const thread: Thread = { worker, current: undefined }
    worker.on('message', (result: LayerResult) => {
      const { current } = thread
      thread.current = undefined
      next()
      current?.resolve(result)
    })
    worker.on('error', error => thread.current?.reject(error))
    worker.on('exit', () => thread.current?.reject(new Error('a thread that makes layers has ended')))
    threads.push(thread)
    return thread
  }
  const next = (): void => {
    while (queue.length > 0) {
      const idle = threads.find(({ current }) => current === undefined)
      const thread = idle ?? (threads.length < most ? start() : undefined)
      if (thread === undefined) return
      const waiting = queue.shift()
      if (waiting === undefined) return
      thread.current = waiting.result
      thread.worker.postMessage(waiting.work)
    }
  }

  return {
    most,
    async make(work) {
      if (closed) throw new Error('the threads that make layers are closed')
      const result = Promise.withResolvers<LayerResult>()
      queue.push({ work, result })
      next()
      return madeOf(await result.promise)
    },
    async close() {
      closed = true
      for (const { result } of queue.splice(0)) result.reject(new Error('no layer is made any more'))
      await Promise.all([...threads.map(({ worker }) => worker.terminate()), deflate?.close()])
    },
  }
}

function madeOf(result: LayerResult): MadeLayer {
  if ('made' in result) return result.made
  const { message, user } = result
  throw user === undefined ? new Error(message) : new UserError(message, user)
}
