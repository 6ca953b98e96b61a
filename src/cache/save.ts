import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathInfo } from '../nix/cli.ts'
import type { Nix, PathInfo } from '../nix/model.ts'
import type { LayerMemo } from '../registry/model.ts'
import { codeOf, messageOf } from '../util/errors.ts'
import { count, formatBytes } from '../util/text.ts'
import { findCandidates } from './candidates.ts'
import { reach } from './closure.ts'
import { type Entries, type EntriesOptions, entries, hasCacheService } from './entries.ts'
import { readIndex, writeIndex } from './index-file.ts'
import { type CacheName, indexKey, indexPrefix } from './keys.ts'
import { refreshLayers } from './layers.ts'
import { forget, merge, tidy } from './merge.ts'
import { type CachedPath, type CacheIndex, emptyIndex, hashOf, sizeOf } from './model.ts'
import { base32OfHash } from './narinfo.ts'
import { type NarFile, writeNars } from './nars.ts'
import { indexFile, indexFolder, newestIndex, openedIndexFile } from './open.ts'
import { fillPacks, type Member, sizeInCache } from './pack.ts'
import { type Plan, plan, roomForNew } from './policy.ts'
import type { Stats } from './server.ts'
import { type UploadedPack, uploadPacks } from './upload.ts'

export type SaveOptions = CacheName &
  Omit<EntriesOptions, 'timeout'> & {
    readonly nix: Nix
    /** The action's own folder in RUNNER_TEMP. */
    readonly folder: string
    readonly runId: string
    readonly runAttempt: string
    /** Of the index that main opened. */
    readonly key: string | undefined
    /** When main began, in seconds since the epoch. */
    readonly started: number
    /** Store paths of Nix itself. */
    readonly closure: readonly string[]
    /** Store paths that shall not be kept: see `findCandidates`. */
    readonly exclude: readonly string[]
    /** Store paths that were built or substituted for the user: they and what they refer to are in use. */
    readonly outPaths: readonly string[]
    /** Seconds that derivations took to build, by store path of the derivation. */
    readonly costs: Readonly<Record<string, number>>
    /** What the layers of this run's image are, whether known before or learned now. */
    readonly layers: LayerMemo
    /** What the substituter did; undefined when there was none. */
    readonly served: Stats | undefined
    /** Bytes that the cache may hold. */
    readonly limit: number
    /** Whether paths that a public binary cache has are kept too. */
    readonly upstream: boolean
    /** Public keys of binary caches, `name:key`, besides that of cache.nixos.org. */
    readonly publicKeys?: readonly string[]
    /** Milliseconds since the epoch. */
    readonly now?: () => number
    /** Some characters that nobody else has. */
    readonly random?: () => string
  }

/** Store paths, and the bytes that they take up in the cache. */
export type Amount = { readonly paths: number; readonly bytes: number }

export type SaveReport = {
  /** `unchanged`: there was nothing to say that the cache does not know. `denied`: this job may only read. */
  readonly outcome: 'saved' | 'unchanged' | 'denied' | 'failed'
  readonly why?: string
  readonly before: Amount
  readonly after: Amount
  readonly added: Amount
  readonly dropped: Amount
  /** Bytes of the packs that were sent. */
  readonly uploaded: number
  readonly limit: number
  /** Sentences: what the limit has cost, what could not be saved. */
  readonly reasons: readonly string[]
  /** Requests that the cache service was sent. */
  readonly calls: number
}

/** Seconds. A use that the index knows to be younger is not worth a new index: nothing is decided by it. */
const staleUse = 24 * 60 * 60

/**
 * Adds what this job made to the cache and brings it within its limit. Packs go up before the index that names them,
 * so that a save that is interrupted leaves the old index as it was. A job that has learned nothing new sends nothing.
 * Never throws: what goes wrong is the outcome.
 */
export async function saveCache(options: SaveOptions): Promise<SaveReport> {
  const { env, log, limit } = options
  const store = entries(options)
  const report = (outcome: SaveReport['outcome'], more: Partial<SaveReport> = {}): SaveReport => {
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
    for (const name of ['nars', 'packs'])
      await rm(join(options.folder, name), { recursive: true, force: true })
  }
}

type Result = Omit<SaveReport, 'limit' | 'calls'>

async function save(options: SaveOptions, store: Entries): Promise<Result> {
  const { nix, folder, limit, served, log } = options
  const now = options.now ?? Date.now
  const seconds = Math.floor(now() / 1000)
  const { index: current, trouble } = await currentIndex(options, store)
  const valid = await pathInfo(nix, 'all')
  const gone = new Set(served?.packs.gone ?? [])
  const before = withoutReplaced(forget(current, gone), valid, options.started)

  const upstreamKeys = new Set(['cache.nixos.org-1', ...(options.publicKeys ?? []).map(keyName)])
  const candidates = findCandidates({ ...options, valid, index: before, upstreamKeys })
  const index = { ...before, elsewhere: before.elsewhere.union(candidates.elsewhere) }
  const { used, unknown } = usesOf(index, valid, options)
  const { nars, problems } = await writeNars({
    ...{ nix, paths: candidates.paths },
    folder: join(folder, 'nars'),
    budget: roomForNew({ index, used, limit }),
  })
  const members = membersOf(candidates.paths, nars, { ...options, upstreamKeys, seconds })
  const planned = plan({ index, candidates: members, used, unknown, now: seconds, limit })
  const reasons = [...(trouble === undefined ? [] : [trouble]), ...problems, ...planned.reasons]
  const layers = refreshLayers(planned.index.layers, options.layers, seconds)

  const worth = (adding: boolean) =>
    isWorthSaving({ current, planned, adding, layers: layers.learned, seconds })
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

  const next = tidy(withPacks({ ...planned.index, layers: layers.layers }, packs.uploaded))
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

const none: Amount = { paths: 0, bytes: 0 }

/**
 * What the cache holds now. Another job may have saved since this one opened it: then both are put together, so that
 * what either has learned lives on.
 */
async function currentIndex(
  options: SaveOptions,
  store: Entries,
): Promise<{ readonly index: CacheIndex; readonly trouble?: string }> {
  const { folder, key } = options
  const newest = await newestIndex(options, store)
  const { index: opened = emptyIndex } = key === undefined ? {} : await readIndex(openedIndexFile(folder))
  if (newest.problem === undefined) {
    return { index: key === undefined || key === newest.key ? newest.index : merge(newest.index, opened) }
  }
  if (newest.key === undefined) {
    // An index that is there and cannot be had is damaged. Otherwise the service is in trouble, and what would be put
    // together without the newest index would take that one out of sight.
    const prefix = indexPrefix(options)
    const found = await store.find(indexFolder(folder), prefix, [prefix])
    if (found.outcome !== 'restored') throw new Error(newest.problem)
  }
  return { index: merge(newest.index, opened), trouble: `The index was damaged: ${newest.problem}.` }
}

/**
 * The index without paths that this job made anew although the cache has them, with another result: what the cache has
 * was refused by Nix, or is not what a build of today gives. They are candidates then; what refers to them stays.
 */
function withoutReplaced(
  index: CacheIndex,
  valid: ReadonlyMap<string, PathInfo>,
  started: number,
): CacheIndex {
  const replaced = new Set<string>()
  for (const { path, narHash, registrationTime } of valid.values()) {
    const known = index.paths.get(hashOf(path))
    if (known === undefined || registrationTime < started) continue
    if (known.narHash !== base32OfHash(narHash)) replaced.add(hashOf(path))
  }
  if (replaced.size === 0) return index
  return { ...index, paths: new Map(index.paths.entries().filter(([hash]) => !replaced.has(hash))) }
}

/**
 * What is in the store since the job began was used by it, whether in a build or by what was built. What was there
 * before may have been: a store that outlives the job does not tell.
 */
function usesOf(
  index: CacheIndex,
  valid: ReadonlyMap<string, PathInfo>,
  { started, outPaths }: Pick<SaveOptions, 'started' | 'outPaths'>,
): { readonly used: ReadonlySet<string>; readonly unknown: ReadonlySet<string> } {
  const inUse = reach(outPaths, path => valid.get(path)?.references)
  const cached = [...valid.values()].filter(({ path }) => index.paths.has(hashOf(path)))
  const isUsed = ({ path, registrationTime }: PathInfo) => registrationTime >= started || inUse.has(path)
  const hashes = (infos: readonly PathInfo[]) => new Set(infos.map(({ path }) => hashOf(path)))
  return { used: hashes(cached.filter(isUsed)), unknown: hashes(cached.filter(info => !isUsed(info))) }
}

function membersOf(
  paths: readonly PathInfo[],
  nars: ReadonlyMap<string, NarFile>,
  options: Pick<SaveOptions, 'costs'> & {
    readonly upstreamKeys: ReadonlySet<string>
    readonly seconds: number
  },
): Member[] {
  const { costs, upstreamKeys, seconds } = options
  return paths.flatMap(info => {
    const nar = nars.get(info.path)
    const narHash = base32OfHash(info.narHash)
    if (nar === undefined || narHash === undefined) return []
    const cost = info.deriver === undefined ? undefined : costs[info.deriver]
    const signed = info.signatures.some(signature => upstreamKeys.has(keyName(signature)))
    const path: CachedPath = {
      name: nameOf(info.path),
      narHash,
      narSize: info.narSize,
      references: info.references.map(nameOf),
      ...(info.deriver === undefined ? {} : { deriver: nameOf(info.deriver) }),
      ...(info.signatures.length === 0 ? {} : { signatures: info.signatures }),
      ...(info.ca === undefined ? {} : { ca: info.ca }),
      fileHash: nar.fileHash,
      fileSize: nar.fileSize,
      pack: '',
      lastUse: seconds,
      origin: signed ? 'upstream' : info.ca?.startsWith('fixed:') ? 'source' : 'built',
      ...(cost === undefined ? {} : { cost: Math.round(cost * 10) / 10 }),
    }
    return [{ path, nar, size: sizeInCache(path) }]
  })
}

/** Whether the cache would know something by the new index that matters. */
function isWorthSaving(now: {
  readonly current: CacheIndex
  readonly planned: Plan
  readonly adding: boolean
  readonly layers: boolean
  readonly seconds: number
}): boolean {
  const { current, adding, layers, seconds } = now
  const { index } = now.planned
  if (layers || adding || index.paths.size !== current.paths.size) return true
  if (index.packs.size !== current.packs.size) return true
  return index.paths.values().some(({ name, lastUse }) => {
    return lastUse === seconds && (current.paths.get(hashOf(name))?.lastUse ?? 0) <= seconds - staleUse
  })
}

/** The index with what was uploaded. */
function withPacks(index: CacheIndex, uploaded: readonly UploadedPack[]): CacheIndex {
  const packs = new Map(index.packs)
  const paths = new Map(index.paths)
  for (const { hash, key, size, created, members } of uploaded) {
    packs.set(hash, { key, size, created })
    for (const { path } of members) paths.set(hashOf(path.name), { ...path, pack: hash })
  }
  return { ...index, packs, paths }
}

function difference(
  before: CacheIndex,
  after: CacheIndex,
): { readonly added: Amount; readonly dropped: Amount } {
  const only = (one: CacheIndex, other: CacheIndex): Amount => {
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

function amountOf(index: CacheIndex): Amount {
  return { paths: index.paths.size, bytes: sizeOf(index) }
}

function keyName(signature: string): string {
  return signature.slice(0, signature.indexOf(':'))
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function randomName(): string {
  return randomBytes(6).toString('hex')
}
