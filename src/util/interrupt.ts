/**
 * Runs `work` with a signal that aborts when the process is told to end. A cancelled job is sent SIGINT, 7.5 s later
 * SIGTERM, and 2.5 s after that it is killed.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const stop = () => controller.abort()
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, stop)
  try {
    return await work(controller.signal)
  } finally {
    for (const signal of signals) process.off(signal, stop)
  }
}
