import { mkdir, rm } from 'node:fs/promises'

import { writeIndex } from './index-writing.js'
import { fetchIndex, indexFile, ownPlace } from './indexes.js'
import { generationOf, indexKey } from './keys.js'
import { writeLineage } from './lineage.js'

/**
 * So many other saves are waited for, longer each time. Who met more, or has no requests left, gives up: its packs are
 * there and are found by the next job. Simulated with uploads of 0.8 to 2 s and 16 requests for each: of 10 jobs that
 * come within a second nearly all save.
 */
const rounds = 5
/** So many times it is looked for the index of whoever took the key. */
const looks = 3

/** Requests: of a further round, with one look, and of saving. */
const another = 2 + 3

/** Requests that a run should not go beyond, and those of them that main makes. */
const callsPerRun = 25
const callsOfMain = 4
/** So many in any case: by its index alone is found what was sent. */
const leastCalls = 12

/**
 * Requests that are left for saving an index where other jobs save at the same time.
 * @param made by post, and by the substituter
 */
export function callsForIndex(made) {
  return Math.max(leastCalls, callsPerRun - callsOfMain - made)
}

/**
 * Saves an index as the one after the newest. The service gives a key to one job only, and tells all others at once
 * that it is taken, also where it does not show new entries yet. So each index of a ref knows what the one before it
 * knew, and of jobs that save at the same time none takes another's work out of sight: whoever finds the key taken
 * adds what the other one saved to its own, and tries the next key.
 *
 * A job that is killed leaves a key that is taken for good. After a few looks it is passed over; the next index
 * remembers it, for the case that it was only slow.
 */
export async function saveNext(options) {
  const { store, mergeWith, wait, chance, seconds } = options
  let { index, generation } = options
  const last = store.calls + options.calls
  let missed = options.lineage.missed
  for (let round = 0; ; round++) {
    const key = indexKey(options, generation + 1)
    const { result, written } = await save(options, key, index, { ...options.lineage, missed })
    const whole = missed.length === 0
    if (result.outcome !== 'exists') return { result, index: written, key, whole }
    if (round === rounds || store.calls + another > last) {
      const why = 'many other jobs saved at the same time'
      return { result: { outcome: 'failed', why }, index, key, whole }
    }
    let newer = undefined
    for (let look = 0; look < looks && newer === undefined; look++) {
      // Many that have met spread out; who looks again waits for one only.
      const spread = look === 0 ? 7 : 2
      await wait((1 + spread * chance()) * 1000 * 1.6 ** Math.max(look, round))
      // Most likely it is newer: to ask for its key before would be one request more.
      const found = await fetchIndex(ownPlace(options), store)
      if (generationOf(options, found.key) > generation) newer = found
    }
    // One that was finished late is not the newest, and yet there.
    newer ??= await thisOne(options, key)
    if (newer === undefined) {
      missed = [...missed, { key, since: seconds }].slice(-20)
      generation++
    } else {
      index = mergeWith(newer.index)
      generation = generationOf(options, newer.key)
      missed = union(missed, newer.lineage.missed)
    }
  }
}

async function thisOne(options, key) {
  const found = await fetchIndex(ownPlace(options), options.store, key)
  return found.key === undefined ? undefined : found
}

/** `written`: of an index that is too large, as much as can be read again. */
async function save(options, key, index, lineage) {
  const { folder } = ownPlace(options)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const written = await writeIndex(indexFile(options.folder), index)
  await writeLineage(folder, lineage)
  return { result: await options.store.save(folder, key), written }
}

function union(a, b) {
  return [...new Map([...a, ...b].map(one => [one.key, one])).values()].slice(-20)
}
