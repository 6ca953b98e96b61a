import { Worker } from 'node:worker_threads'
import { startDeflateThreads } from '../gzip/threads.js'
import { UserError } from '../util/errors.js'

/**
 * @param options.programs the built `layer-worker.js` and `deflate-thread.js`
 * @param options.cores threads that compress at once
 */
export function layerThreads(options) {
  const { programs, compression, cores } = options
  // gzip has threads of its own, which work on a few layers at once: more would only take memory.
  const most = compression === 'gzip' ? Math.min(cores, 3) : cores
  const threads = []
  const queue = []
  let deflate
  let closed = false

  const fail = error => {
    for (const { current } of threads) current?.reject(error)
  }
  const start = () => {
    if (compression === 'gzip')
      deflate ??= startDeflateThreads({ worker: programs.deflateThread, threads: cores, onError: fail })
    const ports = deflate?.connect() ?? []
    const workerData = { ports }
    const worker = new Worker(programs.layerWorker, { workerData, transferList: ports })
    const thread = { worker, current: undefined }
    worker.on('message', result => {
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
  const next = () => {
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
      const result = Promise.withResolvers()
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

function madeOf(result) {
  if ('made' in result) return result.made
  const { message, user } = result
  throw user === undefined ? new Error(message) : new UserError(message, user)
}
