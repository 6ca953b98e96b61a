import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../util/errors.js'
import { compareVersions } from './releases.js'

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
export function renderNixConf(options) {
  const extra = userLines(options.extra)
  const setsSandbox = extra.some(line => /^sandbox\s*=/.test(line))
  const since = version => compareVersions(options.version, version) >= 0
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
export function userSandbox(extra) {
  return userLines(extra)
    .map(line => /^sandbox\s*=\s*(\S+)/.exec(line)?.[1])
    .findLast(value => value !== undefined)
}

/** Whether the user's lines name a netrc file of their own. */
export function userNetrc(extra) {
  return /^\s*netrc-file\s*=/m.test(extra)
}

function when(condition, lines) {
  return condition ? lines : []
}

/** The user's lines without comments and empty ones. */
function userLines(extra) {
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

/**
 * Writes `file`, and the secrets beside it. All of them and their folder can be read by the job's user only.
 * With a token those of earlier steps are removed: of several for one host Nix takes the one that it read first, and
 * it reads the oldest file first.
 */
export async function writeConf(file, options, { token, netrc, earlier = [] }) {
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
export async function removeSecrets(file) {
  for (const name of [tokenFile, netrcName, sshKeyName, builderKeyName])
    await rm(beside(file, name), { force: true })
}

function beside(file, name) {
  return join(dirname(file), name)
}

/** `wx`: a file or link that somebody else put there is never written through. */
export async function writeSecret(file, text) {
  await writeFile(file, text, { mode: 0o600, flag: 'wx' })
}
