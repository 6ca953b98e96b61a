import { readdir, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import { formatBytes } from '../util/text.ts'
import type { Entries } from './entries.ts'
import { forget } from './merge.ts'
import { type CacheIndex, sizeOf } from './model.ts'
import { isNarFile } from './nar-file.ts'
import { narFile } from './narinfo.ts'
import type { Member } from './pack.ts'
import { packFolder, settling } from './packs.ts'
import type { Candidate, Plan, PlanInput } from './policy/model.ts'
import { leastPack } from './policy/rewrites.ts'
import { plan } from './policy.ts'
import type { Stats } from './server.ts'

export type RepackOptions = {
  readonly entries: Pick<Entries, 'restore'>
  /** The action's own folder: packs lie unpacked below it. */
  readonly folder: string
  readonly log: Log
  /** Bytes that can be written there. @default what the file system says */
  readonly free?: () => Promise<number>
}

export type Repacked = {
  readonly plan: Plan
  /** What moves into new packs, lately used first, with its NARs, each verified. */
  readonly moved: readonly Member[]
  /** Packs that turned out not to exist or to be damaged: nothing in them is kept. */
  readonly gone: ReadonlySet<string>
}

/** Requests that a run should not go beyond, and those of them that other parts of it may need. */
const callsPerRun = 25
const callsElsewhere = { openTheIndex: 2, nix: 3, lookAgainAndSave: 6 }

/**
 * Requests that are left for rewriting packs: enough for one upload in any case. A run that sends so much that they
 * cannot be enough may send as much again. One that adds nothing uploads nothing, as long as the limit does not press.
 * @param made requests that the service was sent so far by this phase
 */
export function callsLeft(
  { index, limit }: Pick<PlanInput, 'index' | 'limit'>,
  fresh: readonly Candidate[],
  made: number,
  served: Pick<Stats, 'packs'> | undefined,
): number {
  if (fresh.length === 0 && sizeOf(index) <= limit) return 0
  const fetched = 2 * (served?.packs.fetched.length ?? 0)
  const sent = 3 * Math.ceil(fresh.reduce((sum, { size }) => sum + size, 0) / leastPack)
  const others = Object.values(callsElsewhere).reduce((sum, calls) => sum + calls, made)
  const left = callsPerRun - others - sent
  return left < 0 ? sent : Math.max(3, left - fetched)
}

/** Bytes that are left free: what is written beside the packs, and what other programs need. */
const spare = 64 * 1024 * 1024

/**
 * Plans, brings the packs that are to be rewritten, and plans again with those that could be had: the others stay as
 * they are or go, within the same limit. No NAR is compressed again. Throws nothing of its own: a service or a disk
 * that is in trouble means that nothing is rewritten in this run.
 */
export async function planWithPacks(input: PlanInput, options: RepackOptions): Promise<Repacked> {
  const onDisk = await packsOnDisk(options.folder)
  const asked = { ...input, onDisk }
  const first = plan(asked)
  if (first.rewrite.size === 0) return { plan: first, moved: [], gone: new Set() }
  const got = await bring(first.rewrite, input, onDisk, options)
  const had = new Set(got.had.keys())
  const isAllHad = had.size === first.rewrite.size
  const final = isAllHad
    ? first
    : plan({ ...asked, index: forget(input.index, got.gone), rewritable: had, onDisk: had })
  const moved = await membersIn(final.rewrite, got.had, options.folder)
  return { plan: final, moved, gone: got.gone }
}

/** The hashes of packs that were unpacked in this job. */
export async function packsOnDisk(folder: string): Promise<Set<string>> {
  try {
    const names = await readdir(join(folder, 'packs'))
    return new Set(names.filter(name => /^[0-9a-f]{64}$/.test(name)))
  } catch {
    return new Set()
  }
}

/** Names of paths whose NARs were found as they should be, by pack. */
type Had = ReadonlyMap<string, ReadonlySet<string>>

async function bring(
  rewrite: Plan['rewrite'],
  { index, now }: Pick<PlanInput, 'index' | 'now'>,
  onDisk: ReadonlySet<string>,
  options: RepackOptions,
): Promise<{ readonly had: Had; readonly gone: ReadonlySet<string> }> {
  const { entries, folder, log } = options
  const had = new Map<string, ReadonlySet<string>>()
  const gone = new Set<string>()
  let room = await freeBytes(options)
  for (const [hash, members] of rewrite) {
    const pack = index.packs.get(hash)
    if (pack === undefined) continue
    const moving = members.reduce((sum, { size }) => sum + size, 0)
    // The archive of a pack lies beside what is in it, when it comes and when it goes.
    const needed = moving + (onDisk.has(hash) ? 0 : 2 * pack.size)
    if (room < needed + spare) {
      log.debug(`pack ${hash} is not rewritten: ${formatBytes(needed)} on the disk are needed`)
      continue
    }
    if (!onDisk.has(hash)) {
      const result = await entries.restore(packFolder(folder, hash), pack.key)
      if (result.outcome !== 'restored') {
        await rm(packFolder(folder, hash), { recursive: true, force: true })
        if (result.outcome === 'missing' && pack.created + settling < now) gone.add(hash)
        log.debug(`pack ${hash} is not rewritten: ${'why' in result ? result.why : 'it is not found'}`)
        // A service that hangs takes ten minutes for each.
        if (result.outcome === 'failed') break
        continue
      }
    }
    room -= needed
    const found = new Set<string>()
    for (const { path, nar } of members.map(member => memberOf(member, hash, folder))) {
      if (await isNarFile(nar)) found.add(path.name)
    }
    if (found.size === members.length) had.set(hash, found)
    else {
      log.debug(`pack ${hash} is not rewritten: it is damaged`)
      // What lay here before may have been stopped while it came.
      if (!onDisk.has(hash)) gone.add(hash)
    }
  }
  return { had, gone }
}

/** The second plan may move something else out of a pack than the first one, so that it is looked at only now. */
async function membersIn(rewrite: Plan['rewrite'], had: Had, folder: string): Promise<Member[]> {
  const moved: Member[] = []
  for (const [hash, members] of rewrite) {
    for (const member of members.map(candidate => memberOf(candidate, hash, folder))) {
      const isKnown = had.get(hash)?.has(member.path.name) === true
      if (isKnown || (await isNarFile(member.nar))) moved.push(member)
    }
  }
  // What is used together comes into one pack.
  return moved.sort((a, b) => b.path.lastUse - a.path.lastUse || (a.path.name < b.path.name ? -1 : 1))
}

function memberOf({ path, size }: Candidate, pack: string, folder: string): Member {
  const { fileHash, fileSize } = path
  const file = join(packFolder(folder, pack), narFile(fileHash))
  return { path: { ...path, pack: '' }, size, nar: { fileHash, fileSize, file } }
}

/** No file system that does not say how much is free has room. */
async function freeBytes({ folder, free, log }: RepackOptions): Promise<number> {
  try {
    if (free !== undefined) return await free()
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch (error) {
    log.debug(`no pack is rewritten: ${messageOf(error)}`)
    return 0
  }
}

/** Names of paths that were to move into new packs and are in none. */
export function unsentOf(
  moved: readonly Candidate[],
  uploaded: readonly { readonly members: readonly Candidate[] }[],
): Set<string> {
  const there = new Set(uploaded.flatMap(({ members }) => members.map(({ path }) => path.name)))
  return new Set(moved.map(({ path }) => path.name)).difference(there)
}

/** The index with some paths that are where they were before, and the packs that hold them. */
export function withUnsent(index: CacheIndex, before: CacheIndex, unsent: ReadonlySet<string>): CacheIndex {
  const back = [...before.paths].filter(([, { name }]) => unsent.has(name))
  const packs = new Set(back.map(([, { pack }]) => pack))
  return {
    ...index,
    packs: new Map([...index.packs, ...[...before.packs].filter(([hash]) => packs.has(hash))]),
    paths: new Map([...index.paths, ...back]),
  }
}
