import { existsSync } from 'node:fs'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf } from '../util/errors.js'
import { exec } from '../util/exec.js'
import { unpack } from './archive.js'
import { rootsFolder, workFolder } from './ground.js'
import { closureOf, parseRegistration, renderRegistration } from './registration.js'
import { parseVersion, releaseName } from './releases.js'

/** Removes what killed installs left. */
export async function removeStale() {
  for (const entry of await readdir(workFolder)) {
    const [, owner, pid] = /^staging-((\d+)-\d+)-/.exec(entry) ?? []
    if (pid !== undefined && (await identify(pid)) !== owner) await remove(join(workFolder, entry))
  }
}

/**
 * `<pid>-<start>`: the time tells a process from a later one with the same number. Undefined for one that is gone, or
 * dead and not yet waited for, as it can stay for ever in a container.
 */
async function identify(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // proc_pid_stat(5): after the name, which may contain anything, come the state and, as 20th, the start time.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields === undefined || /^[ZX]/.test(fields[0] ?? '') ? undefined : `${pid}-${fields[19]}`
}

/**
 * Unpacks an archive of a release (`.tar.xz` or `.tar.zst`) beside the store.
 * @throws Error when it is damaged or not a release; nothing of it is left then.
 */
export async function stage(archive, release) {
  const folder = await mkdtemp(join(workFolder, `staging-${await identify(process.pid)}-`))
  try {
    await unpack(archive, folder)
    const root = join(folder, releaseName(release))
    // The installer is not run, only asked which of the store paths is which.
    const installer = await readFile(join(root, 'install'), 'utf8')
    const [nix, cacert] = ['nix', 'cacert'].map(name => {
      const path = new RegExp(`^${name}="(/nix/store/[^"/]+)"$`, 'm').exec(installer)?.[1]
      if (path === undefined) throw new Error(`its installer does not name ${name}`)
      return path
    })
    const all = parseRegistration(await readFile(join(root, '.reginfo'), 'utf8'))
    const registrations = closureOf(all, [nix, cacert])
    const store = join(root, 'store')
    for (const { path } of registrations) await lstat(join(store, basename(path)))
    return { folder, store, nix, cacert, registrations }
  } catch (error) {
    await remove(folder)
    throw error
  }
}

/**
 * Moves the staged paths into the store, each by one rename, registers them and protects them from garbage
 * collection. A path that is there already stays: it came by such a rename and is whole. Only when the Nix
 * of those paths does not work is it replaced.
 * @throws Error with Nix's words when it cannot register the paths.
 */
export async function place(staged, release, env) {
  await mkdir('/nix/store', { recursive: true })
  await mkdir('/nix/var/nix', { recursive: true })
  await moveIn(staged, false)
  let problem = await register(staged, env)
  if (problem !== undefined) {
    await moveIn(staged, true)
    problem = await register(staged, env)
  }
  if (problem !== undefined) throw new Error(problem)
  await root(staged, release)
}

async function moveIn(staged, replace) {
  for (const { path } of staged.registrations) {
    const source = join(staged.store, basename(path))
    if (!existsSync(source)) continue
    if (existsSync(path)) {
      if (!replace) continue
      const away = `${source}.old`
      await move(path, away)
    }
    await move(source, path)
  }
}

/** A folder can only be moved to another parent by somebody who may write to the folder itself. */
async function move(from, to) {
  const stat = await lstat(from)
  if (stat.isDirectory()) await chmod(from, 0o755)
  await rename(from, to)
}

/**
 * Nix itself sets modes and times in the way of its store. Its output is looked at, too: an empty file in the place of
 * a program runs well.
 * @returns undefined when it worked, else Nix's words
 */
async function register(staged, env) {
  const input = Buffer.from(renderRegistration(staged.registrations))
  const registering = ['--option', 'build-users-group', '', '--register-validity', '--hash-given']
  try {
    const started = await exec(`${staged.nix}/bin/nix`, ['--version'], { env })
    if (parseVersion(started.stdout) === undefined) return started.stderr.trim() || 'nix does not start'
    const { code, stderr } = await exec(`${staged.nix}/bin/nix-store`, registering, { env, input })
    return code === 0 ? undefined : stderr.trim() || `nix-store ended with exit code ${code}`
  } catch (error) {
    return messageOf(error)
  }
}

/** The folder of links appears at once; it is also what says that this version is installed. */
async function root(staged, release) {
  await mkdir(rootsFolder, { recursive: true })
  const links = join(staged.folder, 'roots')
  await mkdir(links)
  await symlink(staged.nix, join(links, 'nix'))
  await symlink(staged.cacert, join(links, 'cacert'))
  const target = join(rootsFolder, release.version)
  await rm(target, { recursive: true, force: true })
  await rename(links, target)
}

/** Removes a folder, of which an unpacked store path may forbid writing. */
export async function remove(folder) {
  try {
    await rm(folder, { recursive: true, force: true })
  } catch {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) await chmod(join(entry.parentPath, entry.name), 0o700)
    }
    await rm(folder, { recursive: true, force: true })
  }
}
