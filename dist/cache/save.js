import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { isDiskFull, messageOf } from '../util/errors.js'
import { count, formatBytes } from '../util/text.js'
import { amountOf, difference, heldBy, none } from './amounts.js'
import { timeOfJob } from './clock.js'
import { currentIndex, newerIndex } from './current.js'
import { entries, hasCacheService } from './entries.js'
import { readIndex } from './index-file.js'
import { openedIndexFile } from './indexes.js'
import { generationOf } from './keys.js'
import { whyDenied, whyReadOnly } from './may-save.js'
import { estimatedOf, membersOf } from './members.js'
import { refreshMemo } from './memos.js'
import { merge, tidy, withRetired } from './merge.js'
import { emptyIndex, hashOf, sizeOf } from './model.js'
import { writeNars } from './nars.js'
import { fillPacks } from './pack.js'
import { withUses } from './policy/items.js'
import { rememberUnfit, selectPaths } from './policy/select.js'
import { plan } from './policy.js'
import { deletesLeft, purge } from './purge.js'
import { callsLeft, planWithPacks, unsentOf, withUnsent } from './repack.js'

import { callsForIndex, saveNext } from './save-next.js'
import { surveyStore } from './survey.js'
import { uploadPacks } from './upload.js'
import { isWorthSaving } from './worth-saving.js'

/**
 * Adds what this job made to the cache and brings it within its limit. Packs go up before the index that names them,
 * so that a save that is interrupted leaves the old index as it was. A job that has learned nothing new sends nothing.
 * Never throws: what goes wrong is the outcome.
 */
export async function saveCache(options) {
  const { env, log, limit } = options
  const store = entries(options)
  const report = (outcome, more = {}) => {
    const nothing = { before: none, after: none, added: none, dropped: none, uploaded: 0, reasons: [] }
    return { ...nothing, ...more, outcome, limit, calls: store.calls }
  }
  if (!hasCacheService(env)) return report('failed', { why: 'this runner has no cache service' })
  const readOnly = whyReadOnly(env)
  if (readOnly !== undefined) {
    const { index = emptyIndex } = await readIndex(openedIndexFile(options.folder))
    return report('denied', { ...unchanged(index), why: readOnly })
  }
  try {
    const { outcome, apiCalls, ...rest } = await save(options, store)
    const reported = report(outcome, rest)
    return { ...reported, calls: reported.calls + apiCalls }
  } catch (error) {
    log.debug(String(error instanceof Error ? error.stack : error))
    return report('failed', { why: isDiskFull(error) ? 'the disk is full' : messageOf(error) })
  } finally {
    for (const name of ['nars', 'packs']) {
      const left = join(options.folder, name)
      await rm(left, { recursive: true, force: true }).catch(error => log.debug(messageOf(error)))
    }
  }
}

/** Packs that the next run fetches ahead: more than that no run needs. */
const mostRecent = 1000

async function save(options, store) {
  const { nix, folder, limit, served, log } = options
  const { now = Date.now, wait = setTimeout } = options
  const clock = Math.floor(now() / 1000)
  const known = await currentIndex({ ...options, seconds: clock }, store)
  const seconds = timeOfJob(known.index, clock)
  const { facts, gone, freed, before, candidates, askOf } = await surveyStore(options, known.index, seconds)
  const estimated = estimatedOf(candidates.paths, before.tooLarge, facts)
  const selected = selectPaths(candidates.paths, { ...askOf(before), candidates: estimated })
  if (options.foreign && (selected.paths.length > 0 || sizeOf(before) > limit)) {
    const why = await whyDenied(store, folder)
    const reasons = known.troubles
    if (why !== undefined) return { ...unchanged(known.index), outcome: 'denied', why, reasons, apiCalls: 0 }
  }
  const { nars, problems } = await writeNars({
    ...{ nix, paths: selected.paths, worker: options.narWorker },
    folder: join(folder, 'nars'),
    budget: selected.budget,
  })
  const made = membersOf(candidates.paths, nars, facts)
  // To compress takes a while, in which another job may have saved the same: it is not sent once more.
  const newer = made.length === 0 ? undefined : await newerIndex(options, store, known.generation)
  const current = newer === undefined ? known.index : merge(newer.index, known.index)
  // With what this run used, so that it is not taken for what the other job has given up.
  const mineBefore = withUses({ ...askOf(before), candidates: [] })
  const ask = askOf(newer === undefined ? before : merge(freed(newer.index), mineBefore))
  const { index, used } = ask
  const members = made.filter(({ path }) => !index.paths.has(hashOf(path.name)))
  const unfit = new Set(selected.unfit.map(({ path }) => hashOf(path)))
  const repack = await planWithPacks(
    {
      ...{ ...ask, candidates: members, calls: callsLeft(ask, members, store.calls, served) },
      unfit: estimated.filter(({ path }) => unfit.has(hashOf(path.name))),
    },
    { entries: store, folder, log },
  )
  const { plan: planned, moved } = repack
  for (const hash of repack.gone) gone.add(hash)
  const reasons = [...known.troubles, ...problems, ...planned.reasons]
  const { add, leftOut } = planned
  const remembered = rememberUnfit(index.tooLarge, { added: add, leftOut, unfit: [...unfit], now: seconds })
  const layers = refreshMemo(planned.index.layers, options.layers, seconds)
  const images = refreshMemo(planned.index.images, options.images, seconds)

  const worth = adding =>
    isWorthSaving({
      ...{ current, planned, adding, seconds },
      learned: layers.learned || images.learned || remembered.learned,
    })
  const amounts = { ...unchanged(current), apiCalls: 0 }
  if (!worth(planned.add.length > 0)) return { ...amounts, outcome: 'unchanged', reasons }
  const adding = new Set(planned.add)
  const sending = fillPacks([...members.filter(member => adding.has(member)), ...moved])
  const packs = await uploadPacks(sending, {
    ...{ ...options, store, gone, wait, random: options.random ?? randomName, created: seconds },
  })
  if (packs.denied !== undefined) return { ...amounts, outcome: 'denied', why: packs.denied, reasons }
  reasons.push(...packs.problems)
  const unsent = unsentOf(moved, packs.uploaded)
  // An index without what could not be moved would be worse than the one that there is.
  if (!worth(packs.uploaded.length > 0) || (unsent.size > 0 && packs.uploaded.length === 0)) {
    return { ...amounts, outcome: 'failed', why: packs.problems[0] ?? 'nothing could be saved', reasons }
  }

  const memos = { layers: layers.memo, images: images.memo, tooLarge: remembered.tooLarge }
  const kept = { ...planned.index, ...memos }
  const sent = withPacks(kept, packs.uploaded)
  const added = new Set(planned.add.map(({ path }) => hashOf(path.name)))
  const within = other => plan({ ...ask, index: other, candidates: [], used: used.union(added) }).index
  // What was to move and did not stays where it is, if there is room.
  const mine = withRetired(
    unsent.size === 0 ? tidy(sent) : within(withUnsent(sent, index, unsent)),
    current,
    seconds,
  )
  const withRecent = settled => {
    return {
      ...settled,
      recent: new Set(served?.packs.needed.slice(0, mostRecent)).intersection(settled.packs),
    }
  }
  // Packing and uploading take minutes, in which another job may have saved: what it added stays.
  const {
    result: saved,
    index: next,
    ...last
  } = await saveNext({
    ...{ ...options, store, index: withRecent(mine), seconds },
    lineage: { ...known.lineage, missed: [...known.lineage.missed, ...(newer?.lineage.missed ?? [])] },
    generation: newer === undefined ? known.generation : generationOf(options, newer.key),
    mergeWith: other => withRecent(withRetired(within(merge(mine, freed(other))), other, seconds)),
    calls: callsForIndex(callsMade(options, store)),
    wait,
    chance: options.chance ?? Math.random,
  })
  const uploaded = packs.uploaded.reduce((sum, pack) => sum + pack.bytesSent, 0)
  if (saved.outcome !== 'saved') {
    const why = 'why' in saved ? saved.why : `the key ${last.key} is taken`
    return { ...amounts, outcome: saved.outcome === 'denied' ? 'denied' : 'failed', why, uploaded, reasons }
  }
  const repacked = {
    packs: planned.rewrite.size,
    bytes: moved.reduce((sum, { size }) => sum + size, 0),
  }
  const result = {
    ...{ ...amounts, ...difference(current, next), after: amountOf(next), held: heldBy(next) },
    ...{ uploaded, reasons, ...(moved.length === 0 ? {} : { repacked }) },
  }
  log.info(
    `The store cache holds ${count(next.paths.size, 'path')}, ${formatBytes(result.after.bytes)} of ${formatBytes(limit)}: ` +
      `${count(result.added.paths, 'path')} added, ${count(result.dropped.paths, 'path')} dropped, ${formatBytes(uploaded)} sent.`,
  )
  const purged = await deleteOld(options, store, { index: next, key: last.key, whole: last.whole, seconds })
  return { ...result, ...purged, outcome: 'saved' }
}

/** What a save that changes nothing has to tell. */
function unchanged(index) {
  const amount = amountOf(index)
  return { before: amount, after: amount, added: none, dropped: none, uploaded: 0, held: heldBy(index) }
}

/** Deletes what nothing names any more, where this job may. */
async function deleteOld(options, store, { key, ...saved }) {
  const { api, log, bases } = options
  if (api === undefined) return { apiCalls: 0 }
  const most = deletesLeft(callsMade(options, store))
  const { calls: apiCalls, ...deleted } = await purge(
    {
      ...{ name: options, generation: generationOf(options, key), ...saved, now: saved.seconds },
      ...{ cacheRef: options.cacheRef ?? options.ref, defaultRef: bases.at(-1) },
    },
    { api, most, log },
  )
  return { deleted, apiCalls }
}

/** Requests that post and the substituter have sent so far. */
function callsMade({ served }, { calls }) {
  return calls + 2 * (served?.packs.fetched.length ?? 0)
}

/** The index with what was uploaded. */
function withPacks(index, uploaded) {
  const packs = new Map(index.packs)
  const paths = new Map(index.paths)
  for (const { hash, key, size, created, members } of uploaded) {
    packs.set(hash, { key, size, created })
    for (const { path } of members) paths.set(hashOf(path.name), { ...path, pack: hash })
  }
  return { ...index, packs, paths }
}

function randomName() {
  return randomBytes(6).toString('hex')
}
