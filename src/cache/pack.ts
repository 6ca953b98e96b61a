import { createHash } from 'node:crypto'
import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CachedPath, hashOf } from './model.ts'
import { cacheInfo, narFile, renderNarInfo } from './narinfo.ts'
import type { NarFile } from './nars.ts'
import { packFolder } from './packs.ts'
import type { Candidate } from './policy.ts'

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

/** A pack is closed when it has grown to this many bytes. What is as large by itself is a pack of its own. */
const full = 64 * 1024 * 1024

/**
 * What a file costs in the archive besides its contents: a header of a tar, of which compression leaves about this
 * much. Measured; counted so that what the cache takes up is never more than we say.
 */
const perFile = 256

/** Bytes that a path takes up in the cache: its compressed NAR, its narinfo, and its share of `nix-cache-info`. */
export function sizeInCache(path: CachedPath): number {
  return path.fileSize + renderNarInfo(path, narFile(path.fileHash)).length + 3 * perFile
}

/**
 * Spreads members over packs of 64 to 128 MiB; the last one may be smaller, and one that is larger holds one path.
 * Keeps the order. Pure.
 */
export function fillPacks<T extends { readonly size: number }>(members: readonly T[], enough = full): T[][] {
  const packs: T[][] = []
  let open: T[] = []
  let size = 0
  for (const member of members) {
    if (member.size >= enough) packs.push([member])
    else {
      if (open.length === 0) packs.push(open)
      open.push(member)
      size += member.size
      if (size < enough) continue
      open = []
      size = 0
    }
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
  for (const [name, text] of texts) await writeFile(join(making, name), text)
  // Two paths with the same contents share a file, maybe also between packs.
  for (const [name, file] of nars) await link(file, join(making, name))
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
