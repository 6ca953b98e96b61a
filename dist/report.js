/** A store's URL without its settings, which not every version of Nix shows. */
export function withoutQuery(url) {
  return url?.replace(/\?.*/, '')
}

/** What was brought and built, with what came from the cache told from what came from elsewhere. */
export function buildReport(
  { builds, substitutions, failed = [] },
  outPaths,
  cache,
  brought = { paths: [], bytes: 0 },
) {
  const url = withoutQuery(cache.server?.url)
  const ours = substitutions.filter(({ store }) => withoutQuery(store) === url)
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

/** How much of what the build needed the cache had. `hit`: nothing was built. */
export function cacheStatus(cache, build) {
  if (cache.status === 'off') return 'off'
  const { cache: ours, upstream } = build.substituted
  // What public caches have need not be in ours.
  if (build.builds.length === 0 && (ours > 0 || upstream === 0)) return 'hit'
  return ours === 0 ? 'miss' : 'partial'
}
