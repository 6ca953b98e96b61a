import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../util/errors.ts'
import { compareVersions } from './releases.ts'

export type ConfOptions = {
  /** The Nix that reads it: what it does not know is left out, since it would warn on every call. */
  readonly version: string
  /** Set for a Nix of ours that runs as root: there are no build users then. */
  readonly withoutBuildUsers: boolean
  /** Undefined leaves the sandbox to the machine's own configuration. */
  readonly sandbox: boolean | undefined
  /**
   * Set where Nix cannot drop its supplementary groups, so that its sandbox fails unless it may keep them: as root in a
   * user namespace that an ordinary user made. @default false
   */
  readonly keepGroups?: boolean
  /**
   * Whether the store takes settings from us. A daemon that does not trust the user warns about each of them, so
   * only those that evaluation reads are written then.
   */
  readonly trusted: boolean
  /** Whether the store goes with the machine, at the end of the job or when the machine fails. @default false */
  readonly thrownAway?: boolean
  /** Our own binary cache: `http://127.0.0.1:PORT?trusted=1&priority=1`. */
  readonly substituter: string | undefined
  readonly substituters: readonly string[]
  readonly trustedPublicKeys: readonly string[]
  /** File with logins for binary caches, absolute. */
  readonly netrcFile?: string
  /** Lines of the user's; they win over ours. */
  readonly extra: string
}

/** A token that flake inputs from one host are fetched with. */
export type AccessToken = {
  /** `github.com` */
  readonly host: string
  readonly token: string
}

const tokenFile = 'access-tokens.conf'
const netrcName = 'netrc'
/** Beside nix.conf, for as long as something is copied by ssh. */
export const sshKeyName = 'ssh-key'
/** As long as other machines may build. */
export const builderKeyName = 'builder-key'

/**
 * Writes nix.conf as `man nix.conf` specifies it. Later lines win. The user's come after every setting that has one
 * value; the lists come last, as `extra-` settings: those add to what was set before, so that a user's
 * `substituters = …` does not take away the cache.
 * @throws UserError when a line of the user's is not one that Nix can read, since then no Nix program would start.
 */
export function renderNixConf(options: ConfOptions): string {
  const extra = userLines(options.extra)
  const setsSandbox = extra.some(line => /^sandbox\s*=/.test(line))
  const since = (version: string) => compareVersions(options.version, version) >= 0
  const substituters = [options.substituter, ...options.substituters].filter(url => url !== undefined)
  const lines = [
    // A mirror that does not answer must not stop a job: Nix has no limit of its own in older versions.
    'connect-timeout = 10',
    ...when(options.trusted, [
      'log-lines = 50',
      'max-jobs = auto',
      // The database need not outlive a crash.
      ...when(options.thrownAway === true, ['fsync-metadata = false']),
      'fallback = true',
      // Substitution of many small paths waits for the network, not for the processor.
      'max-substitution-jobs = 128',
      'http-connections = 128',
      ...(options.netrcFile === undefined ? [] : [`netrc-file = ${options.netrcFile}`]),
      ...when(since('2.19'), ['always-allow-substitutes = true']),
    ]),
    ...when(options.withoutBuildUsers, ['build-users-group =']),
    // A fallback would hide that a build ran outside the sandbox.
    ...when(options.sandbox === true, [
      'sandbox = true',
      ...when(!setsSandbox, ['sandbox-fallback = false']),
    ]),
    ...when(options.sandbox === false, ['sandbox = false']),
    ...when(options.keepGroups === true, ['require-drop-supplementary-groups = false']),
    ...extra,
    'extra-experimental-features = nix-command flakes',
    ...when(options.trusted && substituters.length > 0, [`extra-substituters = ${substituters.join(' ')}`]),
    ...when(options.trusted && options.trustedPublicKeys.length > 0, [
      `extra-trusted-public-keys = ${options.trustedPublicKeys.join(' ')}`,
    ]),
    // Relative to this file: Nix cannot include a path with a space in it.
    `!include ${tokenFile}`,
  ]
  return `${lines.join('\n')}\n`
}

/**
 * The sandbox setting that the user's lines make, as they wrote it (`true`, `false`, `relaxed`); undefined when they
 * do not speak of it.
 * @throws UserError as `renderNixConf`
 */
export function userSandbox(extra: string): string | undefined {
  return userLines(extra)
    .map(line => /^sandbox\s*=\s*(\S+)/.exec(line)?.[1])
    .findLast(value => value !== undefined)
}

/** Whether the user's lines name a netrc file of their own. */
export function userNetrc(extra: string): boolean {
  return /^\s*netrc-file\s*=/m.test(extra)
}

function when(condition: boolean, lines: readonly string[]): readonly string[] {
  return condition ? lines : []
}

/** The user's lines without comments and empty ones. */
function userLines(extra: string): readonly string[] {
  return extra.split(/\r?\n/).flatMap((text, index) => {
    const line = text.replace(/#.*/, '').trim()
    if (line === '') return []
    if (!/^(\S+\s+=(\s|$)|!?include\s+\S+$)/.test(line)) {
      throw new UserError(`line ${index + 1} is not a setting: '${line}'`, {
        advice: "Write each line as 'name = value', with spaces around '='.",
      })
    }
    return [line]
  })
}

/** What belongs into files of their own, which `removeSecrets` takes away again. */
export type Secrets = {
  readonly token: AccessToken | undefined
  /** Content of a netrc file. */
  readonly netrc?: string | undefined
  /** Files that earlier steps gave to `writeConf`, and that Nix reads as well. */
  readonly earlier?: readonly string[]
}

/**
 * Writes `file`, and the secrets beside it. All of them and their folder can be read by the job's user only.
 * With a token those of earlier steps are removed: of several for one host Nix takes the one that it read first, and
 * it reads the oldest file first.
 */
export async function writeConf(
  file: string,
  options: Omit<ConfOptions, 'netrcFile'>,
  { token, netrc, earlier = [] }: Secrets,
): Promise<void> {
  const netrcFile = netrc === undefined ? {} : { netrcFile: beside(file, netrcName) }
  const text = renderNixConf({ ...options, ...netrcFile })
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await removeSecrets(file)
  if (token !== undefined) {
    // Where we may not remove it Nix cannot read it either.
    for (const other of earlier) await rm(beside(other, tokenFile), { force: true }).catch(() => {})
    await writeSecret(beside(file, tokenFile), `extra-access-tokens = ${token.host}=${token.token}\n`)
  }
  if (netrc !== undefined) await writeSecret(beside(file, netrcName), netrc)
  await rm(file, { force: true })
  await writeSecret(file, text)
}

/** Removes the secrets beside `file`, also a key that a killed step left. Later calls of Nix go without them. */
export async function removeSecrets(file: string): Promise<void> {
  for (const name of [tokenFile, netrcName, sshKeyName, builderKeyName])
    await rm(beside(file, name), { force: true })
}

function beside(file: string, name: string): string {
  return join(dirname(file), name)
}

/** `wx`: a file or link that somebody else put there is never written through. */
export async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600, flag: 'wx' })
}
