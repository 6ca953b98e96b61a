import { randomUUID } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'

import { Phases } from '../util/phases.js'
import { runNix } from './cli.js'
import { userSandbox } from './conf.js'
import { findCertificates, nixEnvironment, trustedOwner } from './environment.js'
import { installRelease } from './fresh.js'
import { rootsFolder, survey } from './ground.js'

import { rootPrefix } from './privilege.js'

import { openSandbox } from './sandbox.js'
import { isTrusted, sandboxSetting } from './store.js'

/**
 * Gives a Nix that works: the one that is on the machine, or the wanted release, installed for a single user.
 * Nothing enters /nix before the release's digest is verified, nothing enters /nix/store before it is whole, and an
 * install that was killed is finished by the next one.
 * @throws UserError when there is no way to a working Nix; what to do about it is in its words.
 */
export async function installNix(options) {
  const { release, account, log } = options
  const phases = new Phases()
  // Before anything is touched: it also finds a line that Nix could not read.
  const wantedSandbox = userSandbox(options.nixConf)
  await mkdir(options.temp, { recursive: true, mode: 0o700 })
  const env = nixEnvironment({ ...options, bin: undefined, certificates: undefined, ours: true })
  const asRoot = () => rootPrefix(account.uid, env)
  const ground = await phases.time('look for Nix', () => survey(release.version, env))
  const source =
    ground.state === 'present'
      ? undefined
      : await installRelease({ ...options, ground, asRoot, programEnv: env, phases })
  const present = ground.state === 'present' ? ground.nix : await presentOf(release.version)
  if (options.asked && present.version !== release.version) {
    log.warning(
      `nix-version asks for ${release.version}. This machine has Nix ${present.version} in ${present.bin}, which is used instead.`,
    )
  }
  const nix = await describe(present, options)
  const trusted = present.kind !== 'daemon' || (await isTrusted(nix))
  if (!trusted) log.warning(untrusted(account, options.substituters))
  const withoutBuildUsers = present.kind === 'ours' && account.uid === 0
  const sandbox = await phases.time('try the sandbox', async () => {
    const wanted = wantedSandbox ?? (present.kind === 'ours' ? 'true' : await sandboxSetting(nix))
    if (wanted === 'false') return { on: false, keepGroups: false }
    const { warning, ...found } = await openSandbox(nix, {
      ...{ asRoot, withoutBuildUsers, temp: options.temp, salt: randomUUID() },
      program: await realpath(join(nix.bin, 'nix')),
    })
    if (warning !== undefined) log.warning(warning)
    return found
  })
  return {
    nix,
    how: source === undefined ? 'found' : 'installed',
    from: source?.from ?? 'present',
    kind: present.kind,
    sandbox: sandbox.on,
    closure: await closureOfNix(nix, present),
    phases: phases.list(),
    keep: source?.from === 'mirror' ? { ...release, tarball: source.archive } : undefined,
    conf: {
      version: nix.version,
      withoutBuildUsers,
      // The configuration of a machine that is somebody else's stays as it is.
      sandbox: present.kind === 'ours' ? sandbox.on : undefined,
      keepGroups: sandbox.keepGroups,
      trusted,
    },
  }
}

/** What a daemon that takes no settings from this user means for the job. */
export function untrusted({ name }, substituters = []) {
  const lost =
    substituters.length === 0 ? '' : ` and \`substituters\` is not used (${substituters.join(' ')})`
  return `The Nix daemon of this machine does not trust the user '${name}', so nothing can be taken from the cache${lost}. Add the user to trusted-users in /etc/nix/nix.conf.`
}

/** The store path itself, not the link to it, which a later install may replace. */
async function presentOf(version) {
  return { kind: 'ours', bin: join(await realpath(join(rootsFolder, version, 'nix')), 'bin'), version }
}

async function describe(present, options) {
  const ours = present.kind === 'ours'
  const shipped = join(rootsFolder, present.version, 'cacert/etc/ssl/certs/ca-bundle.crt')
  const certificates = await findCertificates(options.env, ours ? shipped : undefined)
  const trusted = await trustedOwner(options.env.GITHUB_WORKSPACE, options.env, options.account)
  const env = { ...options.env, ...trusted }
  return Object.freeze({
    version: present.version,
    bin: present.bin,
    system: options.release.system,
    env: nixEnvironment({ ...options, env, bin: present.bin, certificates, ours }),
  })
}

async function closureOfNix(nix, present) {
  const links =
    present.kind === 'ours'
      ? ['nix', 'cacert'].map(name => join(rootsFolder, present.version, name))
      : [join(nix.bin, 'nix')]
  const paths = await Promise.all(links.map(link => realpath(link)))
  const roots = paths.flatMap(path => /^\/nix\/store\/[^/]+/.exec(path)?.[0] ?? [])
  if (roots.length === 0) return []
  const { code, stdout } = await runNix(nix, 'nix-store', ['--query', '--requisites', ...roots])
  return code === 0 ? stdout.split('\n').filter(line => line !== '') : []
}
