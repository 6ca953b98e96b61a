import { readIndex } from './index-file.js'
import { basePlace, fetchIndex, openedIndexFile, ownPlace } from './indexes.js'
import { generationOf } from './keys.js'
import { readLineage } from './lineage.js'
import { merge } from './merge.js'
import { emptyIndex } from './model.js'

/** Seconds. A key that was taken so long ago and that holds nothing belongs to a job that was killed. */
const longestSave = 60 * 60

/**
 * What the cache holds now. Other jobs may have saved since this one opened it: then all is put together, so that what
 * any of them has learned lives on. An index that main has opened is not fetched again.
 * @throws Error when the service does not say what there is: to save something then would hide what it has.
 */
export async function currentIndex(options, store) {
  const { key, seconds } = options
  const somethingOpened = key !== undefined || options.base !== undefined
  const opened = somethingOpened ? await readIndex(openedIndexFile(options.folder)) : undefined
  const ownAt = ownPlace(options)
  const baseAt = basePlace(options)
  const usable = opened?.index !== undefined
  const [own, base] = await Promise.all([
    refresh(ownAt, key, usable, store),
    baseAt && refresh(baseAt, options.base, usable, store),
  ])
  // Main had opened one, and another job has saved since: what that job added would be lost.
  if (own.problem !== undefined && key !== undefined && own.key !== key) throw new Error(own.problem)

  let index = opened?.index ?? emptyIndex
  if (own.fetched !== undefined) index = merge(own.fetched.index, index)
  const lineage = own.fetched?.lineage ?? (await readLineage(ownAt.folder))
  if (base?.fetched !== undefined && lineage.base !== base.key) index = merge(base.fetched.index, index)
  const tried = await fetchMissed(lineage.missed, { ...options, seconds }, store)
  for (const found of tried.found) index = merge(found.index, index)
  const problems = [opened?.problem, own.problem, base?.problem].flatMap(problem => problem ?? [])
  return {
    index,
    generation: Math.max(generationOf(options, own.key), generationOf(options, key)),
    lineage: {
      base: (base?.problem === undefined ? base?.key : undefined) ?? lineage.base,
      missed: [
        ...tried.missed,
        // It is there and could not be had: the next job looks for it again, and what it names is not deleted.
        ...(own.fetched !== undefined && own.fetched.key === undefined && own.key !== undefined
          ? [{ key: own.key, since: seconds }]
          : []),
      ],
    },
    troubles: [...new Set(problems)].map(problem => `The index was damaged: ${problem}.`),
  }
}

async function refresh(place, opened, usable, store) {
  const [first = ''] = place.prefixes
  const found = await store.find(place.folder, first, place.prefixes)
  if (found.outcome === 'failed') throw new Error(found.why)
  const nothing = { fetched: undefined, problem: undefined }
  if (found.outcome === 'missing') return { key: undefined, ...nothing }
  if (found.key === opened && usable) return { key: opened, ...nothing }
  const fetched = await fetchIndex(place, store, found.key)
  return { key: found.key, fetched, problem: fetched.problem }
}

/** Another look at what could not be had when the newest index was saved. */
async function fetchMissed(missed, options, store) {
  const own = ownPlace({ ...options, folder: `${options.folder}/missed` })
  const found = []
  const left = []
  const young = ({ since }) => since > options.seconds - longestSave
  for (const [at, one] of missed.entries()) {
    if (generationOf(options, one.key) === 0) continue
    // The others wait for a later run.
    const index = at < 3 ? await fetchIndex(own, store, one.key) : undefined
    if (index?.key !== undefined) found.push(index)
    // Dated by a clock that is ahead it would be looked for until that time has come.
    else if (young(one)) left.push({ ...one, since: Math.min(one.since, options.seconds) })
  }
  return { found, missed: left }
}

/**
 * The newest index of the job's own ref if it is newer than the one with the number `generation`; undefined when it is
 * not or cannot be had.
 */
export async function newerIndex(options, store, generation) {
  const place = ownPlace(options)
  const [prefix = ''] = place.prefixes
  const found = await store.find(place.folder, prefix, place.prefixes)
  if (found.outcome !== 'restored' || generationOf(options, found.key) <= generation) return undefined
  const newest = await fetchIndex(place, store, found.key)
  return newest.key === undefined ? undefined : newest
}
