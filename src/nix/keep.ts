import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as z from 'zod'
import { recompress } from './archive.ts'
import { type Release, releaseName } from './releases.ts'

const tool = 'nix-image-action-nix'

/** Where the recompressed release is kept between jobs, other than in the tool cache. */
export type NixEntry = {
  /** Gives the path of the file that `save` was given once, or undefined. Its name ends in `.tar.zst`. */
  restore(): Promise<string | undefined>
  save(file: string): Promise<void>
}

/**
 * What main leaves to post: the verified tarball, to be recompressed and kept. JSON, for the runner's state.
 * Recompressing takes seconds, which main must not wait for.
 */
export type Kept = z.infer<typeof keptSchema>

const keptSchema = z.object({
  tarball: z.string(),
  version: z.string(),
  system: z.string(),
  sha256: z.string(),
})

/** @throws when `text` is not what `JSON.stringify` made of a `Kept`. */
export function parseKept(text: string): Kept {
  return keptSchema.parse(JSON.parse(text))
}

/**
 * `nix-2.35.2-x86_64-linux-0c3960a9792331a2.tar.zst`: the name of a kept archive. The digest of the tarball that it
 * was made of is part of it, so that another build of the same version is never taken for this one.
 */
export function archiveName(release: Release): string {
  return `${releaseName(release)}-${release.sha256.slice(0, 16)}.tar.zst`
}

/** Where `keepRelease` has the archive when it hands it to an entry: the same path in every job of a runner. */
export function archivePath(temp: string, release: Release): string {
  return join(archiveFolder(temp), archiveName(release))
}

/** @param temp the action's own folder in RUNNER_TEMP */
export function archiveFolder(temp: string): string {
  return join(temp, 'nix')
}

/** The archive in the runner's tool cache, or undefined. */
export async function findInToolCache(release: Release): Promise<string | undefined> {
  const { find } = await import('@actions/tool-cache')
  const folder = find(tool, release.version, release.system)
  const file = join(folder, archiveName(release))
  return folder !== '' && existsSync(file) ? file : undefined
}

/**
 * For post: keeps what main downloaded, in the tool cache where there is one and in `entry`.
 * @param options.toolCache false on runners that are thrown away
 */
export async function keepRelease(
  kept: Kept,
  options: { readonly toolCache: boolean; readonly entry: NixEntry | undefined },
): Promise<void> {
  if (!options.toolCache && options.entry === undefined) return
  const archive = join(dirname(kept.tarball), archiveName(kept))
  await recompress(kept.tarball, archive)
  if (options.toolCache) {
    const { cacheFile } = await import('@actions/tool-cache')
    await cacheFile(archive, basename(archive), tool, kept.version, kept.system)
  }
  await options.entry?.save(archive)
  await rm(kept.tarball, { force: true })
}
