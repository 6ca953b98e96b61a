import { createHash } from 'node:crypto'
import { linkSync, writeFileSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hashOf } from './model.ts'
import type { NarFile } from './nar-file.ts'
import { cacheInfo, narFile, renderNarInfo } from './narinfo.ts'
import { packFolder } from './packs.ts'
import type { Candidate } from './policy/model.ts'

export { sizeInCache } from './size.ts'

/** A path that goes into a pack: what the index will say of it, its size in the cache, and its NAR. */
export type Member = Candidate & { readonly nar: NarFile }

export type MadePack = {
  /** 64 hex digits: SHA-256 over names and hashes of all files in it. */
  readonly hash: string
  readonly folder: string
  /** Bytes that it takes up in the cache. */
  readonly size: number
  readonly members: readonly Member[]
}

const MiB = 1024 * 1024

/** Bytes of a pack. What is as large as the least by itself is a pack of its own. */
const size = { least: 64 * MiB, most: 128 * MiB } as const

/**
 * So many packs are made of one save where that can be: each takes three requests of the 25 that a run should send.
 * Smaller packs are better otherwise: less is fetched, and less is written again, for the sake of a part.
 */
const fewPacks = 6

/**
 * Spreads members over packs of 64 to 128 MiB, the larger the more there is to save; the last one may be smaller, and
 * one of a single path larger. Keeps the order. Pure.
 */
export function fillPacks<T extends { readonly size: number }>(
  members: readonly T[],
  { least, most }: { readonly least: number; readonly most: number } = size,
): T[][] {
  const total = members.reduce((sum, member) => sum + member.size, 0)
  const enough = Math.min(most, Math.max(least, total / fewPacks))
  const packs: T[][] = []
  let open: T[] = []
  let bytes = 0
  for (const member of members) {
    if (member.size >= least) {
      packs.push([member])
      continue
    }
    if (open.length === 0 || bytes >= enough || bytes + member.size > most) {
      open = []
      bytes = 0
      packs.push(open)
    }
    open.push(member)
    bytes += member.size
  }
  return packs
}

/**
 * Makes a directory in the layout of an ordinary Nix binary cache, named by what is in it: the same paths with the same
 * contents are the same pack, whoever makes it. `nix copy --from file://FOLDER` takes paths out of it.
 * @param folder the action's own folder; the NARs lie on the same file system
 */
export async function makePack(members: readonly Member[], folder: string): Promise<MadePack> {
  const texts = new Map<string, string>([['nix-cache-info', cacheInfo]])
  const nars = new Map<string, string>()
  for (const { path, nar } of members) {
    texts.set(`${hashOf(path.name)}.narinfo`, renderNarInfo(path, narFile(nar.fileHash)))
    nars.set(narFile(nar.fileHash), nar.file)
  }
  const making = join(folder, 'packs', 'making')
  await rm(making, { recursive: true, force: true })
  await mkdir(join(making, 'nar'), { recursive: true, mode: 0o700 })
  // Sync: with thousands of small files the turns of the event loop take several times as long as the work.
  for (const [name, text] of texts) writeFileSync(join(making, name), text)
  // Two paths with the same contents share a file, maybe also between packs.
  for (const [name, file] of nars) linkSync(file, join(making, name))
  const hash = hashOfFiles(texts, members)
  const pack = packFolder(folder, hash)
  await rm(pack, { recursive: true, force: true })
  await rename(making, pack)
  const size = members.reduce((sum, member) => sum + member.size, 0)
  return { hash, folder: pack, size, members }
}

function hashOfFiles(texts: ReadonlyMap<string, string>, members: readonly Member[]): string {
  const hashes = new Map(members.map(({ nar }) => [narFile(nar.fileHash), nar.fileHash]))
  for (const [name, text] of texts) hashes.set(name, createHash('sha256').update(text).digest('hex'))
  const whole = createHash('sha256')
  for (const name of [...hashes.keys()].sort()) whole.update(`${name} ${hashes.get(name)}\n`)
  return whole.digest('hex')
}
