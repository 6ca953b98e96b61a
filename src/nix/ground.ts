import { constants, existsSync } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { UserError } from '../util/errors.ts'
import { exec } from '../util/exec.ts'
import { can } from './privilege.ts'
import { compareVersions, minimumVersion, parseVersion } from './releases.ts'

/** A Nix that is on the machine already and works. */
export type Present = {
  /**
   * `ours`: this action installed it, single-user. `daemon`: a multi-user install of somebody else's.
   * `single-user`: somebody else's, owned by the job's user.
   */
  readonly kind: 'ours' | 'daemon' | 'single-user'
  readonly bin: string
  readonly version: string
}

/** What is at /nix before anything is done. */
export type Ground =
  | { readonly state: 'present'; readonly nix: Present }
  /** No /nix, or an empty one (`exists`). `writable`: no need to become root. */
  | { readonly state: 'free'; readonly exists: boolean; readonly writable: boolean }
  /** Ours, without the wanted version or with one that does not start. */
  | { readonly state: 'ours' }

/** Marks a /nix that this action made, also when its install did not end; unpacking happens in here. */
export const workFolder = '/nix/.nix-image-action'

const stateFolder = '/nix/var/nix'

/** Holds one folder a version, with a link to each store path that garbage collection must spare. */
export const rootsFolder = `${stateFolder}/gcroots/nix-image-action`

const socket = `${stateFolder}/daemon-socket/socket`

type Env = Readonly<Record<string, string>>

/**
 * Looks at the machine and changes nothing.
 * @param version that our own Nix must have
 * @param env with PATH and HOME, where another Nix is looked for; also for programs that are tried
 * @throws UserError when there is a /nix that can neither be used nor taken.
 */
export async function survey(version: string, env: Env): Promise<Ground> {
  const stat = await lstat('/nix').catch(() => undefined)
  if (stat === undefined) return { state: 'free', exists: false, writable: await can('/', constants.W_OK) }
  if (!stat.isDirectory()) {
    throw new UserError('/nix is not a directory', { advice: 'Remove it: Nix does not work through a link.' })
  }
  if (existsSync(workFolder)) return surveyOurs(version, env)
  const found = await findForeign(env)
  if (found !== undefined) return { state: 'present', nix: found }
  const entries = await readdir('/nix').catch(() => undefined)
  if (entries?.every(entry => entry === 'lost+found')) {
    return { state: 'free', exists: true, writable: await can('/nix', constants.W_OK) }
  }
  throw new UserError('There is a /nix on this machine, but no Nix in it that this job can use', {
    advice: 'Remove /nix, or put its Nix on PATH and let the user who runs the job write to it.',
  })
}

async function surveyOurs(wanted: string, env: Env): Promise<Ground> {
  for (const folder of ['/nix', workFolder, '/nix/store', stateFolder]) {
    if (!existsSync(folder) || (await can(folder, constants.W_OK))) continue
    throw new UserError(`An earlier job installed Nix as another user: ${folder} cannot be written to`, {
      advice: 'Run the jobs of this machine as one user, or remove /nix.',
    })
  }
  const bin = join(rootsFolder, wanted, 'nix', 'bin')
  const version = await versionOf(bin, env)
  if (version === undefined) return { state: 'ours' }
  return { state: 'present', nix: { kind: 'ours', bin: await realpath(bin), version } }
}

async function findForeign(env: Env): Promise<Present | undefined> {
  if (!existsSync(stateFolder)) return undefined
  const places = [
    ...(env.PATH ?? '').split(delimiter),
    `${stateFolder}/profiles/default/bin`,
    `${env.HOME}/.nix-profile/bin`,
    `${env.HOME}/.local/state/nix/profile/bin`,
    '/run/current-system/sw/bin',
  ]
  for (const bin of places.filter(place => place.startsWith('/'))) {
    const version = await versionOf(bin, env)
    if (version !== undefined) return judge(bin, version)
  }
  return undefined
}

async function judge(bin: string, version: string): Promise<Present> {
  if (compareVersions(version, minimumVersion) < 0) {
    throw new UserError(`The Nix of this machine, ${bin}/nix, is version ${version}`, {
      advice: `This action needs Nix ${minimumVersion} or newer: update it, or remove it together with /nix and the action installs its own.`,
    })
  }
  // The order in which Nix itself decides between the store and the daemon.
  if (await can(stateFolder, constants.R_OK | constants.W_OK)) {
    return { kind: existsSync(socket) ? 'daemon' : 'single-user', bin, version }
  }
  if (!existsSync(socket)) {
    throw new UserError(`The Nix of this machine, ${bin}/nix, belongs to another user or is read-only`, {
      advice: 'Run the job as the owner of /nix, or start nix-daemon.',
    })
  }
  return { kind: 'daemon', bin, version }
}

/** Undefined when there is no Nix in `bin`, or none that starts. */
async function versionOf(bin: string, env: Env): Promise<string | undefined> {
  if (
    !(await can(join(bin, 'nix'), constants.X_OK)) ||
    !(await can(join(bin, 'nix-store'), constants.X_OK))
  ) {
    return undefined
  }
  try {
    const { code, stdout } = await exec(join(bin, 'nix'), ['--version'], { env })
    return code === 0 ? parseVersion(stdout) : undefined
  } catch {
    // Of another architecture, or its loader is gone.
    return undefined
  }
}
