import { plainStore } from './nix/store.js'

/** What was brought and built, with what came from the cache told from what came from elsewhere. */
export function buildReport(
  { builds, substitutions, failed = [] },
  outPaths,
  cache,
  brought = { paths: [], bytes: 0 },
) {
  const isOurs = isStoreOf(cache)
  const ours = substitutions.filter(({ store }) => isOurs(store))
  return {
    outPaths,
    builds: builds.map(({ name, seconds }) => ({ name, seconds })),
    failed,
    substituted: {
      cache: brought.paths.length + ours.length,
      upstream: substitutions.length - ours.length,
      bytes: substitutions.reduce((total, { bytes }) => total + bytes, brought.bytes),
    },
  }
}

/** Whether a store is the one that serves our cache. */
export function isStoreOf({ server }) {
  const own = server && plainStore(server.url)
  return store => plainStore(store) === own
}

/** How much of what the build needed the cache had. `hit`: nothing was built. */
export function cacheStatus(cache, build) {
  if (cache.status === 'off') return 'off'
  const { cache: ours, upstream } = build.substituted
  // What public caches have need not be in ours.
  if (build.builds.length === 0 && (ours > 0 || upstream === 0)) return 'hit'
  return ours === 0 ? 'miss' : 'partial'
}
