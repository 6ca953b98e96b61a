import { existsSync } from 'node:fs'
import { chmod, mkdir, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDiskFull, messageOf, UserError } from '../util/errors.js'
import { exec } from '../util/exec.js'

import { formatBytes } from '../util/text.js'

import { fetchRelease } from './fetch.js'
import { workFolder } from './ground.js'
import { archiveFolder, findInToolCache } from './keep.js'
import { place, remove, removeStale, stage } from './place.js'

/**
 * Installs a release from the first place that has it: tool cache, Actions cache, mirror.
 * @throws UserError when it cannot be had, /nix cannot be made, or the disk is full.
 */
export async function installRelease(options) {
  const { release, temp, programEnv, phases, log } = options
  try {
    let source = await phases.time('look in the caches', () => findKept(options))
    source ??= await download(options)
    await phases.time('prepare /nix', () => prepare(options))
    const unpack = archive => phases.time('unpack', () => stage(archive, release))
    let staged
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

async function findKept({ release, toolCache, entry, log }) {
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

async function download({ release, mirror, temp, phases }) {
  const archive = await phases.time('download', () => fetchRelease(release, mirror, archiveFolder(temp)))
  return { from: 'mirror', archive }
}

/** Makes /nix, owned by the job's user, and the folder in it that says that it is ours. */
async function prepare({ ground, account, asRoot, programEnv }) {
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

async function explain(error, release, temp) {
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
