import { Worker } from 'node:worker_threads'
import { UserError } from '../util/errors.js'

/**
 * @param options.worker the built `layer-worker.js`
 * @param options.threads so many at most; each is started when there is work for it
 */
export function layerThreads(options) {
  const threads = []
  const queue = []
  let closed = false

  const start = () => {
    const worker = new Worker(options.worker)
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
      const thread = idle ?? (threads.length < options.threads ? start() : undefined)
      if (thread === undefined) return
      const waiting = queue.shift()
      if (waiting === undefined) return
      thread.current = waiting.result
      thread.worker.postMessage(waiting.work)
    }
  }

  return {
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
      await Promise.all(threads.map(({ worker }) => worker.terminate()))
    },
  }
}

function madeOf(result) {
  if ('made' in result) return result.made
  const { message, user } = result
  throw user === undefined ? new Error(message) : new UserError(message, user)
}
