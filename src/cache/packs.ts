import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { limiter } from '../util/limiter.ts'
import type { Log } from '../util/log.ts'
import type { Entries } from './entries.ts'
import type { CachedPath, CacheIndex } from './model.ts'
import { narFile, nixBase32 } from './narinfo.ts'

/** Packs that are fetched when something in them is wanted. */
export type Packs = {
  /** Whether the pack is, as far as is known by now, there to be had. */
  has(hash: string): boolean
  /** The file with the path's compressed NAR, verified; undefined when it cannot be had. */
  file(path: CachedPath): Promise<string | undefined>
  readonly stats: PackStats
}

export type PackStats = {
  /** Hashes of packs that were brought here. */
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
}

/** @returns `<folder>/packs/<hash>`: where a pack lies while it is used or made. */
export function packFolder(folder: string, hash: string): string {
  return join(folder, 'packs', hash)
}

/** Any number of requests for the same pack are one fetch. What cannot be had is not asked for again. */
export function lazyPacks({ index, entries, folder, log, concurrency = 4 }: PacksOptions): Packs {
  const limit = limiter(concurrency)
  const fetches = new Map<string, Promise<boolean>>()
  const verified = new Map<string, Promise<boolean>>()
  const lost = new Map<string, 'gone' | 'unreachable'>()
  const fetched: string[] = []
  let [bytes, seconds] = [0, 0]

  function fetch(hash: string): Promise<boolean> {
    return remembered(fetches, hash, () =>
      limit(async () => {
        const pack = index.packs.get(hash)
        if (pack === undefined) return false
        const began = performance.now()
        const result = await entries.restore(packFolder(folder, hash), pack.key)
        const took = (performance.now() - began) / 1000
        seconds += took
        if (result.outcome === 'restored') {
          fetched.push(hash)
          bytes += pack.size
          log.info(`pack ${hash}: ${pack.size} bytes in ${took.toFixed(2)} s`)
          return true
        }
        lost.set(hash, result.outcome === 'missing' ? 'gone' : 'unreachable')
        log.info(`pack ${hash}: ${result.outcome === 'missing' ? 'is gone' : result.why}`)
        await rm(packFolder(folder, hash), { recursive: true, force: true })
        return false
      }),
    )
  }

  return {
    has: hash => index.packs.has(hash) && !lost.has(hash),
    async file(path) {
      if (!(await fetch(path.pack)) || lost.has(path.pack)) return undefined
      const file = join(packFolder(folder, path.pack), narFile(path.fileHash))
      if (await remembered(verified, file, () => verify(file, path))) return file
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
      return { fetched: [...fetched], gone: those('gone'), unreachable: those('unreachable'), bytes, seconds }
    },
  }
}

/** Size and digest must be what the index says. A link is followed nowhere. */
async function verify(file: string, { fileHash, fileSize }: CachedPath): Promise<boolean> {
  try {
    const found = await lstat(file)
    if (!found.isFile() || found.size !== fileSize) return false
    const hash = createHash('sha256')
    await pipeline(createReadStream(file), hash)
    return nixBase32(hash.digest()) === fileHash
  } catch {
    return false
  }
}

function remembered<T>(known: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = known.get(key)
  if (found !== undefined) return found
  const made = make()
  known.set(key, made)
  return made
}
