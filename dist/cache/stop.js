/** Milliseconds. It answers from memory: later than this it is gone or hangs. */
const timeout = 5000

/**
 * Asks the substituter what it did and ends it.
 * @returns undefined when it had ended by itself. Another process that has its pid by now is left alone.
 */
export async function stopSubstituter(server) {
  const url = new URL(server.url)
  url.search = ''
  url.pathname += '/stats'
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeout) })
    const stats = await response.json()
    if (!response.ok || stats.pid !== server.pid) return undefined
    process.kill(server.pid, 'SIGTERM')
    return stats
  } catch {
    return undefined
  }
}
