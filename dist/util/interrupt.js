/** A cancelled job is sent SIGINT and then SIGTERM. The push then ends between two requests, not within its tags. */
export async function untilInterrupted(work) {
  const controller = new AbortController()
  const stop = () => controller.abort(new Error('The job was cancelled.'))
  const signals = ['SIGINT', 'SIGTERM']
  for (const signal of signals) process.once(signal, stop)
  try {
    return await work(controller.signal)
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
}
