/** Milliseconds. It answers from memory: later than this it is gone or hangs. */
const timeout = 5000

/**
 * Asks the substituter what it did so far.
 * @returns undefined when it has ended by itself. Another process that has its port by now is not believed.
 */
export async function substituterStats({ url, pid }) {
  const { origin, pathname } = new URL(url)
  try {
    const response = await fetch(`${origin}${pathname}/stats`, { signal: AbortSignal.timeout(timeout) })
    const stats = await response.json()
    return response.ok && stats.pid === pid ? stats : undefined
  } catch {
    return undefined
  }
}

/** As `substituterStats`, and ends it. Another process that has its pid by now is left alone. */
export async function stopSubstituter(server) {
  const stats = await substituterStats(server)
  try {
    if (stats !== undefined) process.kill(server.pid, 'SIGTERM')
    return stats
  } catch {
    return undefined
  }
}
