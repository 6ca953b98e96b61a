import { messageOf } from '../util/errors.js'

import { cachePrefixes, generationOf, isPackKey } from './keys.js'

const hour = 60 * 60
const day = 24 * hour

/** So many indexes of each ref stay, whatever their age. */
const keptIndexes = 2

function oldestFirst(a, b) {
  return a.created - b.created || a.id - b.id
}

/** The indexes first, each kind from the oldest on. Pure. */
export function toDelete(input) {
  const { now } = input
  const indexes = oldIndexes(input.indexes.entries, now)
  return [...indexes.sort(oldestFirst), ...oldPacks(input).sort(oldestFirst)]
}

/**
 * Indexes that nobody opens any more: two newer ones are there, and the one that took its place did so an hour ago. A
 * job that has found it as the newest one has long read it by then.
 */
function oldIndexes(indexes, now) {
  const numbered = indexes.flatMap(entry => {
    const [, prefix, digits] = /^(.*-)(\d{6,12})$/.exec(entry.key) ?? []
    return digits === undefined
      ? []
      : [{ entry, group: `${entry.ref}\n${entry.version}\n${prefix}`, number: Number(digits) }]
  })
  return Map.groupBy(numbered, ({ group }) => group)
    .values()
    .flatMap(group => {
      const newestFirst = group
        .sort((a, b) => b.number - a.number || oldestFirst(b.entry, a.entry))
        .map(({ entry }) => entry)
      return newestFirst.filter((entry, at) => {
        const later = Math.max(entry.created, newestFirst[at - 1]?.created ?? now)
        return at >= keptIndexes && later < now - hour
      })
    })
    .toArray()
}

/**
 * Packs of the job's own ref that no index names. What was saved, or given up, within the last day stays: another job
 * may be about to name it, or still use it. What an index names that this job cannot read is not known, so a pack that
 * is older than such an index stays.
 */
function oldPacks({ index, indexes, packs, ...input }) {
  if (!indexes.complete || !input.whole) return []
  // Runners that compress in different ways have entries of their own under the same keys, and do not see each other's.
  if (new Set(indexes.entries.map(({ version }) => version)).size > 1) return []
  // Entries are dated by the service. A clock of this machine that is ahead would make what was just saved look old.
  const now = Math.min(
    input.now,
    ...indexes.entries
      .map(({ created }) => created)
      .sort((a, b) => b - a)
      .slice(0, 1),
  )
  const { packs: prefix } = cachePrefixes(input.name)
  const unread = indexes.entries.filter(entry => isReader(entry.ref, input) && !isKnown(entry, input))
  const lastUnread = unread.reduce(
    (latest, { created }) => Math.max(latest, created),
    Number.NEGATIVE_INFINITY,
  )
  const named = new Set(index.packs.values().map(({ key }) => key))
  return packs.filter(({ key, ref, created }) => {
    const hash = key.slice(prefix.length, prefix.length + 64)
    if (ref !== input.cacheRef || !key.startsWith(prefix) || !isPackKey(key, hash)) return false
    const givenUp = index.retired.get(hash) ?? 0
    return !named.has(key) && Math.max(created, givenUp) < now - day && created > lastUnread
  })
}

/** Whether jobs of a ref can find the packs of this job's ref. */
function isReader(ref, { cacheRef, defaultRef }) {
  if (ref === cacheRef || defaultRef === undefined || cacheRef === defaultRef) return true
  // The base of a pull request may be any branch.
  return cacheRef.startsWith('refs/heads/') && ref.startsWith('refs/pull/')
}

/** Each index of a ref knows what those before it have named, and what was given up since. */
function isKnown({ key, ref }, { name, generation, cacheRef }) {
  const number = generationOf(name, key)
  return ref === cacheRef && number > 0 && number <= generation
}

/** Requests that a run should not go beyond, and those that opening the cache and listing its entries take. */
const callsPerRun = 25
const callsElsewhere = 4 + 2

/**
 * How many entries a run may delete: few are enough, since each save leaves few.
 * @param made requests that it has made besides
 */
export function deletesLeft(made) {
  return Math.max(2, Math.min(10, callsPerRun - callsElsewhere - made))
}

/**
 * Deletes what nothing names. To be killed in the middle of it does no harm: what is left is deleted after a later
 * save. Never throws: what is not deleted is removed by GitHub when nobody has used it for a week.
 * @param most so many entries at most, the oldest first
 */
export async function purge(input, { api, most, log }) {
  let [entries, bytes, calls] = [0, 0, 0]
  const done = () => ({ entries, bytes, calls })
  const denied = () => {
    log.info(
      "Old entries of the store cache are not deleted: that takes `actions: write` among the job's `permissions`. GitHub removes what was unused for a week.",
    )
    return done()
  }
  try {
    const prefixes = cachePrefixes(input.name)
    calls++
    const indexes = await api.list(prefixes.indexes, { order: 'newest first' })
    if (indexes === 'denied') return denied()
    calls++
    const packs = await api.list(prefixes.packs, { order: 'oldest first', ref: input.cacheRef })
    if (packs === 'denied') return denied()
    for (const entry of toDelete({ ...input, indexes, packs: packs.entries }).slice(0, most)) {
      calls++
      const result = await api.delete(entry.id)
      if (result === 'denied') return denied()
      log.debug(`delete ${entry.key}: ${result}`)
      if (result === 'gone') continue
      entries++
      bytes += entry.size
    }
  } catch (error) {
    log.info(`Old entries of the store cache were not deleted: ${messageOf(error)}`)
  }
  return done()
}
