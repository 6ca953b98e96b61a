import { chmod, copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, join } from 'node:path'
import pMap from 'p-map'
import { isDynamicProgram, type Patchelf } from './elf.ts'
import { run } from './run.ts'

/** Unpacks packages into one folder, which is emptied first. */
export async function unpack(debs: readonly string[], folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const extract = (deb: string) => run('dpkg', ['-x', deb, folder])
  await pMap(debs, extract, { concurrency: availableParallelism() })
}

/**
 * Copies all programs of an unpacked tree to the new folder `bin`, so changed that they run from there with the tree's
 * libraries. Gives their names.
 */
export async function installPrograms(
  tree: string,
  bin: string,
  patchelf: Patchelf,
  libraries: string,
  loader: string,
): Promise<string[]> {
  await mkdir(bin, { recursive: true })
  // Podman's helpers are not for people, and so not among the programs.
  const folders = ['usr/bin', 'usr/sbin', 'bin', 'sbin', 'usr/lib/podman']
  const found = await Promise.all(
    folders.map(async folder => (await list(join(tree, folder))).map(name => join(tree, folder, name))),
  )
  const install = async (from: string) => {
    const to = join(bin, basename(from))
    if ((await lstat(from)).isSymbolicLink()) {
      const target = await readlink(from)
      if (target.includes('/')) return []
      await symlink(target, to)
    } else {
      await copyFile(from, to)
      await chmod(to, 0o755)
      if (await isDynamicProgram(to)) await patchelf.patch(to, join(libraries, loader), [libraries])
    }
    return [basename(from)]
  }
  const installed = await pMap(found.flat(), install, { concurrency: availableParallelism() })
  return installed.flat().sort()
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort()
  } catch {
    return []
  }
}
