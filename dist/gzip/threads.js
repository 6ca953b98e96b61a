import { MessageChannel, Worker } from 'node:worker_threads'

/**
 * Starts threads that compress. One that fails closes its ports, so whoever waits for it hears of it.
 * @param options.worker the built `deflate-thread.js`
 * @param options.onError hears why one failed: that can only be a defect of ours, or too little memory
 */
export function startDeflateThreads(options) {
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
