import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathInfo } from '../nix/cli.js'

import { codeOf, messageOf } from '../util/errors.js'
import { count, formatBytes } from '../util/text.js'
import { findCandidates } from './candidates.js'
import { currentIndex, newerIndex } from './current.js'
import { entries, hasCacheService } from './entries.js'
import { writeIndex } from './index-file.js'
import { indexKey } from './keys.js'
import { refreshLayers } from './layers.js'
import { membersOf, outsideOf } from './members.js'
import { forget, merge, tidy } from './merge.js'
import { hashOf, sizeOf } from './model.js'
import { writeNars } from './nars.js'
import { indexFile, indexFolder } from './open.js'
import { fillPacks } from './pack.js'
import { plan, roomForNew } from './policy.js'

import { uploadPacks } from './upload.js'
import { usesOf, withoutReplaced } from './uses.js'

/** Seconds. A use that the index knows to be younger is not worth a new index: nothing is decided by it. */
const staleUse = 24 * 60 * 60

/**
 * Adds what this job made to the cache and brings it within its limit. Packs go up before the index that names them,
 * so that a save that is interrupted leaves the old index as it was. A job that has learned nothing new sends nothing.
 * Never throws: what goes wrong is the outcome.
 */
export async function saveCache(options) {
  const { env, log, limit } = options
  const store = entries(options)
  const report = (outcome, more = {}) => {
    const none = { paths: 0, bytes: 0 }
    const nothing = { before: none, after: none, added: none, dropped: none, uploaded: 0, reasons: [] }
    return { ...nothing, ...more, outcome, limit, calls: store.calls }
  }
  if (!hasCacheService(env)) return report('failed', { why: 'this runner has no cache service' })
  try {
    const { outcome, ...rest } = await save(options, store)
    return report(outcome, rest)
  } catch (error) {
    log.debug(String(error instanceof Error ? error.stack : error))
    return report('failed', { why: codeOf(error) === 'ENOSPC' ? 'the disk is full' : messageOf(error) })
  } finally {
    for (const name of ['nars', 'packs']) {
      const left = join(options.folder, name)
      await rm(left, { recursive: true, force: true }).catch(error => log.debug(messageOf(error)))
    }
  }
}

async function save(options, store) {
  const { nix, folder, limit, served, log } = options
  const now = options.now ?? Date.now
  const seconds = Math.floor(now() / 1000)
  const { index: current, key: newest, trouble } = await currentIndex(options, store)
  const valid = await pathInfo(nix, 'all')
  const gone = new Set(served?.packs.gone ?? [])
  const before = withoutReplaced(forget(current, gone), valid, options)

  const upstreamKeys = new Set([
    'cache.nixos.org-1',
    ...(options.publicKeys ?? []).map(key => key.slice(0, key.indexOf(':'))),
  ])
  const candidates = findCandidates({ ...options, valid, index: before, upstreamKeys })
  const index = { ...before, elsewhere: before.elsewhere.union(candidates.elsewhere) }
  const { used, unknown } = usesOf(index, valid, options)
  const { nars, problems } = await writeNars({
    ...{ nix, paths: candidates.paths, outside: outsideOf(candidates.paths) },
    folder: join(folder, 'nars'),
    budget: roomForNew({ index, used, limit }),
  })
  const members = membersOf(candidates.paths, nars, { ...options, upstreamKeys, now: seconds })
  const planned = plan({ index, candidates: members, used, unknown, now: seconds, limit })
  const reasons = [...(trouble === undefined ? [] : [trouble]), ...problems, ...planned.reasons]
  const layers = refreshLayers(planned.index.layers, options.layers, seconds)

  const worth = adding => isWorthSaving({ current, planned, adding, layers: layers.learned, seconds })
  const amounts = {
    before: amountOf(current),
    after: amountOf(current),
    added: none,
    dropped: none,
    uploaded: 0,
  }
  if (!worth(planned.add.length > 0)) return { ...amounts, outcome: 'unchanged', reasons }
  const adding = new Set(planned.add)
  const packs = await uploadPacks(fillPacks(members.filter(member => adding.has(member))), {
    ...{ folder, store, gone, random: options.random ?? randomName, created: seconds },
  })
  if (packs.denied !== undefined) return { ...amounts, outcome: 'denied', why: packs.denied, reasons }
  reasons.push(...packs.problems)
  if (!worth(packs.uploaded.length > 0)) {
    return { ...amounts, outcome: 'failed', why: packs.problems[0] ?? 'nothing could be saved', reasons }
  }

  const mine = tidy(withPacks({ ...planned.index, layers: layers.layers }, packs.uploaded))
  // Packing and uploading take minutes, in which another job may have saved: what it added stays.
  const newer = await newerIndex(options, store, newest)
  const added = packs.uploaded.flatMap(({ members: some }) => some.map(({ path }) => hashOf(path.name)))
  const planWith = other =>
    plan({
      index: merge(mine, withoutReplaced(forget(other, gone), valid, options)),
      candidates: [],
      ...{ used: used.union(new Set(added)), unknown, now: seconds, limit },
    })
  const next = newer === undefined ? mine : planWith(newer).index
  await rm(indexFolder(folder), { recursive: true, force: true })
  await mkdir(indexFolder(folder), { recursive: true, mode: 0o700 })
  await writeIndex(indexFile(folder), next)
  const { runId, runAttempt: attempt } = options
  const key = indexKey(options, { now: now(), runId, attempt, random: (options.random ?? randomName)() })
  const saved = await store.save(indexFolder(folder), key)
  const uploaded = packs.uploaded.reduce((sum, pack) => sum + pack.bytesSent, 0)
  if (saved.outcome !== 'saved') {
    const why = 'why' in saved ? saved.why : `the key ${key} is taken`
    return { ...amounts, outcome: saved.outcome === 'denied' ? 'denied' : 'failed', why, uploaded, reasons }
  }
  const result = { ...amounts, ...difference(current, next), after: amountOf(next), uploaded, reasons }
  log.info(
    `The store cache holds ${count(next.paths.size, 'path')}, ${formatBytes(result.after.bytes)} of ${formatBytes(limit)}: ` +
      `${count(result.added.paths, 'path')} added, ${count(result.dropped.paths, 'path')} dropped, ${formatBytes(uploaded)} sent.`,
  )
  return { ...result, outcome: 'saved' }
}

const none = { paths: 0, bytes: 0 }

/** Whether the cache would know something by the new index that matters. */
function isWorthSaving(now) {
  const { current, adding, layers, seconds } = now
  const { index } = now.planned
  if (layers || adding || index.paths.size !== current.paths.size) return true
  if (index.packs.size !== current.packs.size) return true
  return index.paths.values().some(({ name, lastUse }) => {
    return lastUse === seconds && (current.paths.get(hashOf(name))?.lastUse ?? 0) <= seconds - staleUse
  })
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

function difference(before, after) {
  const only = (one, other) => {
    const paths = one.paths
      .entries()
      .filter(([hash]) => !other.paths.has(hash))
      .toArray()
    const packs = one.packs
      .entries()
      .filter(([hash]) => !other.packs.has(hash))
      .toArray()
    return { paths: paths.length, bytes: packs.reduce((sum, [, { size }]) => sum + size, 0) }
  }
  return { added: only(after, before), dropped: only(before, after) }
}

function amountOf(index) {
  return { paths: index.paths.size, bytes: sizeOf(index) }
}

function randomName() {
  return randomBytes(6).toString('hex')
}
