import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../util/errors.js'
import { compareVersions } from './releases.js'

const tokenFile = 'access-tokens.conf'

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
      'fallback = true',
      // Substitution of many small paths waits for the network, not for the processor.
      'max-substitution-jobs = 128',
      'http-connections = 128',
      ...when(since('2.19'), ['always-allow-substitutes = true']),
    ]),
    ...when(options.withoutBuildUsers, ['build-users-group =']),
    // A fallback would hide that a build ran outside the sandbox.
    ...when(options.sandbox === true, [
      'sandbox = true',
      ...when(!setsSandbox, ['sandbox-fallback = false']),
    ]),
    ...when(options.sandbox === false, ['sandbox = false']),
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
 */
export function userSandbox(extra) {
  return userLines(extra)
    .map(line => /^sandbox\s*=\s*(\S+)/.exec(line)?.[1])
    .findLast(value => value !== undefined)
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
      throw new UserError(`nix-conf: line ${index + 1} is not a setting: '${line}'`, {
        advice: "Write each line as 'name = value', with spaces around '='.",
      })
    }
    return [line]
  })
}

/**
 * Writes `file`, and beside it the token in a file of its own that `removeToken` takes away again. Both and their
 * folder can be read by the job's user only.
 */
export async function writeConf(file, options, token) {
  const text = renderNixConf(options)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  await removeToken(file)
  if (token !== undefined) {
    await writeSecret(tokenPath(file), `extra-access-tokens = ${token.host}=${token.token}\n`)
  }
  await rm(file, { force: true })
  await writeSecret(file, text)
}

/** Removes the token that `writeConf` wrote beside `file`. Later calls of Nix go without it. */
export async function removeToken(file) {
  await rm(tokenPath(file), { force: true })
}

function tokenPath(file) {
  return join(dirname(file), tokenFile)
}

/** `wx`: a file or link that somebody else put there is never written through. */
async function writeSecret(file, text) {
  await writeFile(file, text, { mode: 0o600, flag: 'wx' })
}
