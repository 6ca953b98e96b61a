import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'

/** Threads that compress, for whichever threads have something to compress. */
export type DeflateThreads = {
  /** A way to each of them, for one `deflatePool`: here, or in a thread that they are transferred to. */
  connect(): MessagePort[]
  /** Ends them at once, whatever they do. What waits for them fails. */
  close(): Promise<void>
}

/**
 * Starts threads that compress. One that fails closes its ports, so whoever waits for it hears of it.
 * @param options.worker the built `deflate-thread.js`
 * @param options.onError hears why one failed: that can only be a defect of ours, or too little memory
 */
export function startDeflateThreads(options: {
  readonly worker: string
  readonly threads: number
  readonly onError: (error: Error) => void
}): DeflateThreads {
  const workers = Array.from({ length: options.threads }, () => new Worker(options.worker))
  for (const worker of workers) worker.on('error', options.onError)
  return {
    connect() {
      return workers.map(worker => {
        const { port1, port2 } = new MessageChannel()
        worker.postMessage(port1, [port1])
        return port2
      })
    },
    async close() {
      await Promise.all(workers.map(worker => worker.terminate()))
    },
  }
}
