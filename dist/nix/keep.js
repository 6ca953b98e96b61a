import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as z from '../vendor/zod.js'
import { recompress } from './archive.js'
import { releaseName } from './releases.js'

const tool = 'nix-image-action-nix'

const keptSchema = z.object({
  tarball: z.string(),
  version: z.string(),
  system: z.string(),
  sha256: z.string(),
})

/** @throws when `text` is not what `JSON.stringify` made of a `Kept`. */
export function parseKept(text) {
  return keptSchema.parse(JSON.parse(text))
}

/**
 * `nix-2.35.2-x86_64-linux-0c3960a9792331a2.tar.zst`: the name of a kept archive. The digest of the tarball that it
 * was made of is part of it, so that another build of the same version is never taken for this one.
 */
export function archiveName(release) {
  return `${releaseName(release)}-${release.sha256.slice(0, 16)}.tar.zst`
}

/** Where `keepRelease` has the archive when it hands it to an entry: the same path in every job of a runner. */
export function archivePath(temp, release) {
  return join(archiveFolder(temp), archiveName(release))
}

/** @param temp the action's own folder in RUNNER_TEMP */
export function archiveFolder(temp) {
  return join(temp, 'nix')
}

/** The archive in the runner's tool cache, or undefined. */
export async function findInToolCache(release) {
  const { find } = await import('../vendor/actions-tool-cache.js')
  const folder = find(tool, release.version, release.system)
  const file = join(folder, archiveName(release))
  return folder !== '' && existsSync(file) ? file : undefined
}

/**
 * For post: keeps what main downloaded, in the tool cache where there is one and in `entry`.
 * @param options.toolCache false on runners that are thrown away
 */
export async function keepRelease(kept, options) {
  if (!options.toolCache && options.entry === undefined) return
  const archive = join(dirname(kept.tarball), archiveName(kept))
  await recompress(kept.tarball, archive)
  if (options.toolCache) {
    const { cacheFile } = await import('../vendor/actions-tool-cache.js')
    await cacheFile(archive, basename(archive), tool, kept.version, kept.system)
  }
  await options.entry?.save(archive)
  await rm(kept.tarball, { force: true })
}
