/**
 * Preload (`node --import`) that lets the action not wait before it looks again for what the cache service does not show,
 * so that a test of what is never shown takes no three minutes.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'

const timers: typeof import('node:timers/promises') = createRequire(import.meta.url)('node:timers/promises')
const wait = timers.setTimeout

timers.setTimeout = (async (delay = 0, value?: unknown, options?: object) =>
  wait(delay >= 1000 && delay <= 35_000 ? 0 : delay, value, options)) as typeof wait
syncBuiltinESMExports()
