import { access, stat } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { delimiter } from 'node:path'

/** The account of this process. A container may run as a number that /etc/passwd does not know. */
export function currentAccount() {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  try {
    const { username, homedir } = userInfo()
    return { name: username, home: homedir, uid, gid }
  } catch {
    return { name: `user${uid}`, home: '/', uid, gid }
  }
}

/**
 * What neither evaluation nor builds may see. An impure evaluation can read any variable, so the action's inputs
 * (a registry's password) and the runner's tokens stay out. A library path that another action set for its own
 * programs would change the libraries that Nix loads.
 */
const withheld = /^(INPUT_|ACTIONS_|STATE_)|^(LD_LIBRARY_PATH|LD_PRELOAD|NODE_OPTIONS)$/

/** What the tools of AWS read: keys, and where to find them. */
const ofCloud = /^AWS_/

/** The variables with which Nix reaches a store in S3. */
export function cloudVariables(env) {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      ofCloud.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  )
}

/** The environment without these variables. */
export function withoutCloud(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ofCloud.test(name)))
}

/** Variables that would send our own Nix to another store. */
const diverting = /^NIX_(REMOTE|STORE|STORE_DIR|STATE_DIR|LOG_DIR|CONF_DIR|DATA_DIR)$/

/** The whole environment for Nix's programs. Pure. */
export function nixEnvironment(options) {
  const { env, account, bin, ours } = options
  const result = {}
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || withheld.test(name) || (ours && diverting.test(name))) continue
    result[name] = value
  }
  const path = env.PATH || '/usr/local/bin:/usr/bin:/bin'
  result.PATH =
    bin === undefined ? path : [bin, ...path.split(delimiter).filter(entry => entry !== bin)].join(delimiter)
  result.HOME = env.HOME || account.home
  result.USER = env.USER || account.name
  result.NIX_USER_CONF_FILES = userConfFiles(options.confFile, { ...env, HOME: result.HOME })
  if (Object.entries(result).some(([name, value]) => value && /^(https?|all)_proxy$/i.test(name))) {
    Object.assign(result, withoutProxy(result))
  }
  if (options.certificates !== undefined) result.NIX_SSL_CERT_FILE = options.certificates
  return Object.freeze(result)
}

/**
 * The environment in which root may read the repository of the user whom the workspace belongs to: in a container job
 * that is the runner's, and both git and the libgit2 in Nix refuse the repository of another user. As root they accept
 * that of the user who became root. libgit2 knows no other way by environment (GIT_CONFIG_COUNT is git's alone).
 * @param uid that git and Nix run as
 * @returns nothing where they are not told of anybody: another user cannot be trusted in this way
 */
export async function trustedOwner(workspace, { SUDO_UID }, { uid } = currentAccount()) {
  if (uid !== 0 || !workspace) return {}
  if (SUDO_UID !== undefined) return { SUDO_UID }
  const owner = (await stat(workspace).catch(() => undefined))?.uid
  return owner === undefined || owner === 0 ? {} : { SUDO_UID: String(owner) }
}

/** What no proxy is asked for, and with it this machine, where our cache is served. Programs read one case or the other. */
function withoutProxy({ no_proxy, NO_PROXY }) {
  const extended = list => {
    // `*` stands for all hosts only while it is alone.
    if (list?.trim() === '*') return list
    const hosts = (list ?? '').split(/[\s,]+/).filter(host => host !== '')
    return hosts.includes('127.0.0.1') ? (list ?? '') : [...hosts, '127.0.0.1'].join(',')
  }
  return { no_proxy: extended(no_proxy || NO_PROXY), NO_PROXY: extended(NO_PROXY || no_proxy) }
}

/**
 * The value of NIX_USER_CONF_FILES: our file first, since earlier ones win, then the files that Nix reads by
 * default, since setting the variable replaces them.
 */
export function userConfFiles(confFile, env) {
  const others = env.NIX_USER_CONF_FILES
    ? env.NIX_USER_CONF_FILES.split(':')
    : [env.XDG_CONFIG_HOME || `${env.HOME}/.config`, ...(env.XDG_CONFIG_DIRS || '/etc/xdg').split(':')].map(
        directory => `${directory}/nix/nix.conf`,
      )
  return [confFile, ...others.filter(file => file !== '' && file !== confFile)].join(':')
}

const bundles = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Arch, NixOS
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', // newer RHEL
  '/etc/ssl/ca-bundle.pem', // openSUSE
  '/etc/ssl/cert.pem', // Alpine
]

/**
 * Finds CA certificates: those that the environment names, else the system's, which may hold a company's own, else
 * `shipped`, which comes with Nix.
 */
export async function findCertificates(env, shipped) {
  for (const file of [env.NIX_SSL_CERT_FILE, env.SSL_CERT_FILE, ...bundles, shipped]) {
    if (file !== undefined && file !== '' && (await isReadable(file))) return file
  }
  return undefined
}

async function isReadable(file) {
  return access(file).then(
    () => true,
    () => false,
  )
}
