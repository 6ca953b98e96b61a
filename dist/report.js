/** What `realise` did, with what came from the cache told from what came from elsewhere. */
export function buildReport(realised, outPath, cache) {
  const withoutQuery = url => url?.replace(/\?.*/, '')
  const url = withoutQuery(cache.server?.url)
  const ours = realised.substitutions.filter(({ store }) => withoutQuery(store) === url)
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
  if (build.builds.length === 0 && build.substituted.upstream === 0) return 'hit'
  return build.substituted.cache === 0 ? 'miss' : 'partial'
}
