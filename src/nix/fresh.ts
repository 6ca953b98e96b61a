import { existsSync } from 'node:fs'
import { chmod, mkdir, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDiskFull, messageOf, UserError } from '../util/errors.ts'
import { exec } from '../util/exec.ts'
import type { Log } from '../util/log.ts'
import type { Phases } from '../util/phases.ts'
import { formatBytes } from '../util/text.ts'
import type { Account } from './environment.ts'
import { fetchRelease } from './fetch.ts'
import { type Ground, workFolder } from './ground.ts'
import { archiveFolder, findInToolCache, type NixEntry } from './keep.ts'
import { place, remove, removeStale, type Staged, stage } from './place.ts'
import type { Release } from './releases.ts'

export type FreshOptions = {
  readonly release: Release
  readonly mirror: string
  readonly temp: string
  readonly toolCache: boolean
  readonly entry: NixEntry | undefined
  readonly account: Account
  readonly log: Log
  readonly ground: Ground
  asRoot(): Promise<readonly string[] | undefined>
  /** The environment for sudo and for Nix while it is installed. */
  readonly programEnv: Readonly<Record<string, string>>
  readonly phases: Phases
}

/** Where a release came from, and the file that it was unpacked from. */
export type Source = {
  readonly from: 'mirror' | 'tool-cache' | 'actions-cache'
  readonly archive: string
}

/**
 * Installs a release from the first place that has it: tool cache, Actions cache, mirror.
 * @throws UserError when it cannot be had, /nix cannot be made, or the disk is full.
 */
export async function installRelease(options: FreshOptions): Promise<Source> {
  const { release, temp, programEnv, phases, log } = options
  try {
    let source = await phases.time('look in the caches', () => findKept(options))
    source ??= await download(options)
    await phases.time('prepare /nix', () => prepare(options))
    const unpack = (archive: string) => phases.time('unpack', () => stage(archive, release))
    let staged: Staged
    try {
      staged = await unpack(source.archive)
    } catch (error) {
      if (source.from === 'mirror' || error instanceof UserError || isDiskFull(error)) throw error
      const place = source.from === 'tool-cache' ? 'tool cache' : 'Actions cache'
      log.warning(`The archive of Nix in the ${place} is damaged and is not used: ${messageOf(error)}`)
      source = await download(options)
      staged = await unpack(source.archive)
    }
    try {
      await phases.time('register', () => place(staged, release, programEnv))
    } finally {
      await remove(staged.folder)
    }
    return source
  } catch (error) {
    throw await explain(error, release, temp)
  }
}

async function findKept({ release, toolCache, entry, log }: FreshOptions): Promise<Source | undefined> {
  const tool = toolCache ? await findInToolCache(release) : undefined
  if (tool !== undefined) return { from: 'tool-cache', archive: tool }
  try {
    const archive = await entry?.restore()
    return archive === undefined ? undefined : { from: 'actions-cache', archive }
  } catch (error) {
    log.warning(`Nix could not be taken from the Actions cache: ${messageOf(error)}`)
    return undefined
  }
}

async function download({ release, mirror, temp, phases }: FreshOptions): Promise<Source> {
  const archive = await phases.time('download', () => fetchRelease(release, mirror, archiveFolder(temp)))
  return { from: 'mirror', archive }
}

/** Makes /nix, owned by the job's user, and the folder in it that says that it is ours. */
async function prepare({ ground, account, asRoot, programEnv }: FreshOptions): Promise<void> {
  if (ground.state === 'free' && !ground.writable) {
    const { name, uid, gid } = account
    const [problem, way] = ground.exists
      ? [
          `The folder /nix is empty, and the user '${name}' may not write to it`,
          `give /nix to that user: \`chown ${uid} /nix\``,
        ]
      : [
          `The user '${name}' has no right to make the folder /nix`,
          `make an empty /nix that the user owns: \`install -d -o ${uid} /nix\``,
        ]
    const advice = `Run the job as root or as a user with sudo, or ${way}.`
    const prefix = await asRoot()
    if (prefix === undefined) throw new UserError(problem, { advice })
    const [command = '', ...args] = [
      ...[...prefix, 'install', '-d', '-m', '0755'],
      ...['-o', String(uid), '-g', String(gid), '/nix'],
    ]
    const { code, stderr } = await exec(command, args, { env: programEnv })
    if (code !== 0) throw new UserError(`${problem}: ${stderr.trim()}`, { advice })
  }
  const made = !existsSync('/nix')
  await mkdir(workFolder, { recursive: true })
  if (made) await chmod('/nix', 0o755)
  await removeStale()
}

async function explain(error: unknown, release: Release, temp: string): Promise<unknown> {
  if (error instanceof UserError) return error
  if (isDiskFull(error)) {
    const free = await Promise.all(
      [temp, '/nix'].map(async place => {
        const { bavail, bsize } = await statfs(existsSync(place) ? place : dirname(place))
        return `${place} has ${formatBytes(bavail * bsize)} left`
      }),
    )
    return new UserError(`The disk is full: Nix ${release.version} does not fit. ${free.join(', ')}.`, {
      advice: 'Free some space before this step. Nix alone needs about 300 MB in /nix.',
      cause: error,
    })
  }
  return new UserError(`Nix ${release.version} could not be installed: ${messageOf(error)}`, { cause: error })
}
