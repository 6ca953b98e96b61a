/** Seconds by which the clocks of two jobs may differ and both are believed: a wrong time zone makes less. */
export const drift = 24 * 60 * 60

/**
 * An index as a job believes it: nothing is dated more than `drift` after `now`. Otherwise what a job with a wrong
 * clock has saved would be in use, or given up, for as long as that clock was ahead. Pure.
 * @param now seconds since the epoch, by the clock of the job that reads
 */
export function believable(index, now) {
  const latest = now + drift
  if (newestTime(index) <= latest) return index
  const before = time => Math.min(time, latest)
  const used = map => mapValues(map, value => ({ ...value, lastUse: before(value.lastUse) }))
  return {
    ...index,
    packs: mapValues(index.packs, pack => ({ ...pack, created: before(pack.created) })),
    paths: used(index.paths),
    layers: used(index.layers),
    images: used(index.images),
    tooLarge: used(index.tooLarge),
    retired: mapValues(index.retired, before),
  }
}

/**
 * The time at which a job that works with an index is: by its own clock, but not before what the index tells. What is
 * used now is then used last, and what was used before it keeps its age, also by a clock that is a little behind. Pure.
 * @param index a believable one
 * @param now seconds since the epoch, by the job's own clock
 */
export function timeOfJob(index, now) {
  return Math.max(now, newestTime(index))
}

/** Of all times in an index; 0 when there are none. */
function newestTime({ packs, paths, layers, images, tooLarge, retired }) {
  let newest = 0
  const see = time => {
    if (time > newest) newest = time
  }
  for (const { created } of packs.values()) see(created)
  for (const map of [paths, layers, images, tooLarge]) for (const { lastUse } of map.values()) see(lastUse)
  for (const time of retired.values()) see(time)
  return newest
}

function mapValues(map, change) {
  return new Map(map.entries().map(([key, value]) => [key, change(value)]))
}
