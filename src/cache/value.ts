import type { CachedPath } from './model.ts'

/**
 * What each of the paths is worth, in seconds: what a run that needs it saves by finding it in the cache, times how
 * likely it is that a run does. In the order of the paths; never negative.
 */
export type Worth = (paths: readonly CachedPath[], now: number) => number[]

const MB = 1_000_000

/**
 * Rates in bytes a second and latencies in seconds, of a hosted runner, rounded. Only their relation to each other and
 * to build times matters, and all of them are wrong for somebody by some factor.
 */
const rates = {
  /** Packs come several at a time, and are unpacked. */
  cache: 100 * MB,
  /** A public binary cache: xz has to be unpacked, and Nix fetches many paths at a time, which hides most of the latency. */
  upstream: { rate: 30 * MB, latency: 0.05 },
  /** Servers of all kinds, one file after the other. */
  source: { rate: 10 * MB, latency: 1 },
  /** Builds that nobody saw, by the NAR that came out: compilers make about this much. */
  built: { rate: 1 * MB, latency: 3 },
} as const

/** No build is for nothing: Nix sets up its sandbox, and looks through what came out. */
const leastSeconds = 0.1

/**
 * Seconds. What was used just now is used again with twice the likelihood of what was used 0.4 times as long ago, with
 * ten times that of what was used 2.2 times as long ago.
 */
const memory = 3 * 24 * 60 * 60

/** Seconds by the byte that what is built usually saves. */
const usual = 10 / MB

/**
 * Seconds that it takes to have the path again without the cache: as measured, or estimated by its size. Its
 * references are not counted: whoever drops one of those drops this path too, and sees both.
 */
export function secondsToGetBack({ cost, origin, fileSize, narSize }: CachedPath): number {
  if (cost !== undefined) return Math.max(cost, leastSeconds)
  const { rate, latency } = rates[origin]
  return latency + (origin === 'built' ? narSize : fileSize) / rate
}

/**
 * How likely it is that something is used again that was last used so many seconds ago, where 1 is now. What is unused
 * for long is mostly of a version that is gone for good, but the longer it is, the less another day tells: so it falls
 * as a power of the age, and at every age there are some that are worth their bytes.
 */
export function likelihood(age: number): number {
  return (memory / (memory + Math.max(0, age))) ** 2
}

/**
 * The policy's idea of worth. What a path saves by the byte is taken half way, as a factor, to what is usual: a build
 * was measured once, and whether a path is needed is known less well still, so that to take the seconds at their word
 * keeps what is dear and dead before what is cheap and in use. `script/bench` shows by how much that is better.
 *
 * Outputs that one build makes and that were last used together are got back by one build: they share its seconds by
 * their sizes, so that they stay or go together. What is quicker to make than to fetch from the cache is worth little.
 */
export const savedSeconds: Worth = (paths, now) => {
  const keys = paths.map(({ origin, deriver, lastUse, name }) =>
    origin === 'upstream' || deriver === undefined ? name : `${deriver} ${lastUse}`,
  )
  const sizes = new Map<string, number>()
  const seconds = new Map<string, number>()
  for (const [at, path] of paths.entries()) {
    const key = keys[at] ?? ''
    sizes.set(key, (sizes.get(key) ?? 0) + path.fileSize + 1)
    seconds.set(key, Math.max(seconds.get(key) ?? 0, secondsToGetBack(path)))
  }
  return paths.map(({ fileSize, lastUse }, at) => {
    const key = keys[at] ?? ''
    const [whole, all] = [seconds.get(key) ?? 0, sizes.get(key) ?? 1]
    const saved = Math.max(whole - all / rates.cache, whole / 100)
    return (fileSize + 1) * Math.sqrt((saved / all) * usual) * likelihood(now - lastUse)
  })
}
