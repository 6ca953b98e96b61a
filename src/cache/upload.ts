import { rm } from 'node:fs/promises'
import type { Entries, Saved } from './entries.ts'
import { type CacheName, isPackKey, nextPackKey, packKey } from './keys.ts'
import { type MadePack, type Member, makePack } from './pack.ts'

export type UploadedPack = {
  /** 64 hex digits. */
  readonly hash: string
  readonly key: string
  /** Bytes that it takes up in the cache. */
  readonly size: number
  /** Seconds since the epoch. */
  readonly created: number
  readonly members: readonly Member[]
  /** 0 when somebody else had saved the same pack before. */
  readonly bytesSent: number
}

export type Uploads = {
  readonly uploaded: readonly UploadedPack[]
  /** Sentences: which packs could not be saved, and why. Their paths are not cached. */
  readonly problems: readonly string[]
  /** Why this job may not save at all. Nothing was uploaded then. */
  readonly denied?: string
}

/**
 * Makes packs and uploads them, one after the other: each lies on the disk twice while it is archived, and one upload
 * fills the line. The first one that is denied is the last one that is tried.
 */
export async function uploadPacks(
  packs: readonly (readonly Member[])[],
  options: CacheName & {
    /** The action's own folder in RUNNER_TEMP. */
    readonly folder: string
    /** Branches whose entries this job finds as well. */
    readonly ref: string
    readonly bases: readonly string[]
    readonly store: Entries
    /** Hashes of packs that are damaged where they were saved: another one with the same content needs another key. */
    readonly gone: ReadonlySet<string>
    readonly random: () => string
    /** Waits for so many milliseconds. */
    readonly wait: (milliseconds: number) => Promise<void>
    /** Seconds since the epoch. */
    readonly created: number
  },
): Promise<Uploads> {
  const { folder, created, gone } = options
  const uploaded: UploadedPack[] = []
  const problems: string[] = []
  for (const members of packs) {
    const pack = await makePack(members, folder)
    const { hash, size } = pack
    const { result, key } = await upload(pack, { ...options, damaged: gone.has(hash) })
    await rm(pack.folder, { recursive: true, force: true })
    if (result.outcome === 'denied') return { uploaded, problems, denied: result.why }
    if (result.outcome === 'failed') {
      problems.push(`A pack was not saved: ${result.why}.`)
      // A service that hangs takes ten minutes for each: what went up so far is worth more than the rest.
      return { uploaded, problems }
    } else {
      const bytesSent = result.outcome === 'saved' ? size : 0
      uploaded.push({ hash, key, size, created, members, bytesSent })
    }
  }
  return { uploaded, problems }
}

/**
 * So many times it is looked for a pack that another job has saved, or is saving now: 12 s in all. The service shows
 * what was saved after a while only.
 */
const looks = 3

async function upload(
  pack: MadePack,
  options: CacheName & {
    readonly ref: string
    readonly bases: readonly string[]
    readonly random: () => string
    readonly wait: (milliseconds: number) => Promise<void>
    readonly store: Entries
    readonly damaged: boolean
  },
): Promise<{ readonly result: Saved; readonly key: string }> {
  const { random, store, wait, damaged, ref, bases } = options
  const key = packKey(options, pack.hash)
  // A key is taken in one ref only: the service would let this one save what the default branch has.
  const isBranch = bases.some(base => base !== ref)
  const find = async () => {
    const found = await store.find(pack.folder, key)
    // The service also finds a key that begins so: that of a second attempt.
    return found.outcome === 'restored' && isPackKey(found.key, pack.hash) ? found.key : undefined
  }
  const there = isBranch && !damaged ? await find() : undefined
  if (there !== undefined) return { result: { outcome: 'exists' }, key: there }
  const result = await store.save(pack.folder, key)
  if (result.outcome !== 'exists') return { result, key }
  for (let look = 0; look < looks && !damaged; look++) {
    if (look > 0) await wait(2000 * 2 ** look)
    const found = await find()
    if (found !== undefined) return { result, key: found }
  }
  // A job that was killed leaves the key reserved: it finds nothing and is blocked for everybody else.
  const other = nextPackKey(options, pack.hash, random())
  const second = await store.save(pack.folder, other)
  if (second.outcome !== 'exists') return { result: second, key: other }
  return { result: { outcome: 'failed', why: `its keys ${key} and ${other} are taken` }, key: other }
}
