/** What `realise` did, with what came from the cache told from what came from elsewhere. */
export function buildReport(realised, outPath, cache) {
  const ours = realised.substitutions.filter(({ store }) => cache.server?.url.startsWith(store))
  return {
    outPath,
    builds: realised.builds.map(({ name, seconds }) => ({ name, seconds })),
    substituted: {
      cache: ours.length,
      upstream: realised.substitutions.length - ours.length,
      bytes: realised.substitutions.reduce((total, { bytes }) => total + bytes, 0),
    },
    seconds: realised.seconds,
  }
}

/** How much of what the build needed the cache had. */
export function cacheStatus(cache, build) {
  if (cache.status === 'off') return 'off'
  if (build.substituted.cache === 0) return 'miss'
  return build.builds.length === 0 ? 'hit' : 'partial'
}
