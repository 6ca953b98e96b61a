/**
 * Preload (`node --import`) that lets a program not wait before it tries again, so that a test of a service that
 * stays broken takes no 30 s. The client's waits lie between 3 s (its first retry) and 16 s (its last one); timers
 * outside of that, like those that draw its progress or end a download that hangs, stay as they are.
 */
const schedule = globalThis.setTimeout

function scheduleSoon(callback: (...args: unknown[]) => void, delay = 0, ...args: unknown[]): NodeJS.Timeout {
  return schedule(callback, delay >= 3000 && delay <= 16_000 ? 0 : delay, ...args)
}

globalThis.setTimeout = Object.assign(scheduleSoon, schedule) as typeof setTimeout
