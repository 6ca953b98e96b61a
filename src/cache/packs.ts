import { rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import { queue } from '../util/queue.ts'
import type { Entries } from './entries.ts'
import type { CachedPath, CacheIndex, Pack } from './model.ts'
import { isNarFile } from './nar-file.ts'
import { narFile } from './narinfo.ts'

/** Packs that are fetched when something in them is wanted, or ahead of that. */
export type Packs = {
  /** Whether the pack is, as far as is known by now, there to be had. */
  has(hash: string): boolean
  /**
   * Has packs fetched before anybody waits for them.
   * @param urgency `wanted`: they will be asked for. `ahead`: they may be, so they come after all others.
   */
  prefetch(hashes: readonly string[], urgency: 'wanted' | 'ahead'): void
  /** The folder of the whole pack, as it was saved and not verified; undefined when it cannot be had. */
  folder(hash: string): Promise<string | undefined>
  /** The file with the path's compressed NAR, verified; undefined when it cannot be had. */
  file(path: CachedPath): Promise<string | undefined>
  readonly stats: PackStats
}

export type PackStats = {
  /** Hashes of packs that something was needed from. */
  readonly needed: readonly string[]
  /** Those that were brought here. */
  readonly fetched: readonly string[]
  /** Those that do not exist any more or do not hold what they should: of no use to anybody. */
  readonly gone: readonly string[]
  /** Those that the service did not give this time. */
  readonly unreachable: readonly string[]
  /** Of the packs fetched. */
  readonly bytes: number
  /** Spent on fetching, several at a time counted once each. */
  readonly seconds: number
}

export type PacksOptions = {
  readonly index: CacheIndex
  readonly entries: Pick<Entries, 'restore'>
  /** Where packs are unpacked, each below its hash. */
  readonly folder: string
  readonly log: Log
  /** How many are fetched at the same time. @default 4 */
  readonly concurrency?: number
  /** Bytes that the disk has left. @default what the folder's file system says */
  readonly free?: () => Promise<number>
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** Whose turn it is: what Nix waits for, what the build will need, what the last run needed. */
const rank = { asked: 0, wanted: 1, ahead: 2 } as const

/** Bytes that are left to the build. Until it is unpacked, a pack takes up its size twice. */
const reserve = 512 * 1024 * 1024

/** Seconds in which the service may not yet know a pack that was just saved. */
export const settling = 10 * 60

/** A service that fails so often in a row is given up: a build that waits for each pack would never end. */
const mostFailures = 3

/** @returns `<folder>/packs/<hash>`: where a pack lies while it is used or made. */
export function packFolder(folder: string, hash: string): string {
  return join(folder, 'packs', hash)
}

/** Any number of requests for the same pack are one fetch. What cannot be had is not asked for again. */
export function lazyPacks(options: PacksOptions): Packs {
  const { index, entries, folder, log, concurrency = 4, now = Date.now } = options
  const free = options.free ?? (() => freeBytes(folder))
  const turns = queue(concurrency)
  const fetches = new Map<string, Promise<boolean>>()
  const verified = new Map<string, Promise<boolean>>()
  const lost = new Map<string, 'gone' | 'unreachable'>()
  const needed = new Set<string>()
  const fetched: string[] = []
  let [bytes, seconds, failures] = [0, 0, 0]

  function fetch(hash: string, urgency: number): Promise<boolean> {
    if (urgency < rank.ahead) needed.add(hash)
    turns.hurry(hash, urgency)
    return remembered(fetches, hash, () => turns.run(hash, urgency, () => restore(hash)))
  }

  async function restore(hash: string): Promise<boolean> {
    const pack = index.packs.get(hash)
    if (pack === undefined) return false
    try {
      return await bringIn(hash, pack)
    } catch (error) {
      // Nobody waits for a pack that is fetched ahead: what is thrown would end the process.
      lost.set(hash, 'unreachable')
      log.info(`pack ${hash}: ${messageOf(error)}`)
      return false
    }
  }

  async function bringIn(hash: string, pack: Pack): Promise<boolean> {
    const lose = (state: 'gone' | 'unreachable', why: string) => {
      lost.set(hash, state)
      log.info(`pack ${hash}: ${why}`)
      return false
    }
    if (failures >= mostFailures) return lose('unreachable', 'not asked for: the service is in trouble')
    if ((await free()) < 2 * pack.size + reserve) return lose('unreachable', 'the disk has no room for it')
    const began = performance.now()
    const result = await entries.restore(packFolder(folder, hash), pack.key)
    const took = (performance.now() - began) / 1000
    seconds += took
    if (result.outcome === 'restored') {
      failures = 0
      fetched.push(hash)
      bytes += pack.size
      log.info(`pack ${hash}: ${pack.size} bytes in ${took.toFixed(2)} s`)
      return true
    }
    await rm(packFolder(folder, hash), { recursive: true, force: true })
    if (result.outcome === 'missing') {
      const settled = pack.created + settling < now() / 1000
      return lose(settled ? 'gone' : 'unreachable', 'the service does not have it')
    }
    failures++
    return lose('unreachable', result.why)
  }

  return {
    has: hash => index.packs.has(hash) && !lost.has(hash),
    prefetch(hashes, urgency) {
      for (const hash of hashes) if (index.packs.has(hash)) void fetch(hash, rank[urgency])
    },
    folder: async hash => ((await fetch(hash, rank.wanted)) ? packFolder(folder, hash) : undefined),
    async file(path) {
      if (!(await fetch(path.pack, rank.asked)) || lost.has(path.pack)) return undefined
      const file = join(packFolder(folder, path.pack), narFile(path.fileHash))
      if (await remembered(verified, file, () => isNarFile({ ...path, file }))) return file
      if (!lost.has(path.pack)) log.info(`pack ${path.pack}: ${narFile(path.fileHash)} is damaged or missing`)
      lost.set(path.pack, 'gone')
      return undefined
    },
    get stats() {
      const those = (state: 'gone' | 'unreachable') =>
        lost
          .entries()
          .filter(([, why]) => why === state)
          .map(([hash]) => hash)
          .toArray()
      return {
        needed: [...needed],
        fetched: [...fetched],
        gone: those('gone'),
        unreachable: those('unreachable'),
        bytes,
        seconds,
      }
    },
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

function remembered<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key)
  if (found !== undefined) return found
  const made = make()
  known.set(key, made)
  return made
}
