import { UserError } from '../util/errors.ts'
import pins from './pins.json' with { type: 'json' }

/**
 * A release that may be installed: which one, and the digest that its tarball must have.
 * The digests in pins.json are this action's own (`script/pin-nix.ts` adds one): the file that the mirror serves
 * beside a tarball comes from the same host and proves nothing.
 */
export type Release = {
  readonly version: string
  readonly system: string
  /** 64 lower-case hex digits: sha256 of the `.tar.xz`. */
  readonly sha256: string
}

const pinned: Readonly<Record<string, Readonly<Record<string, string>>>> = pins

/** Installed when the user does not ask for a version. */
export const defaultVersion = '2.35.2'

/**
 * The oldest Nix that the action drives: Ubuntu 24.04's, and the default of NixOS 24.05. It reads store paths from
 * stdin and has `max-substitution-jobs`; what came later is asked for by version.
 */
export const minimumVersion = '2.18'

const systems: Readonly<Record<string, string>> = { x64: 'x86_64-linux', arm64: 'aarch64-linux' }

/**
 * The Nix system of a Linux machine.
 * @param architecture as `process.arch` says it
 * @throws UserError when this action has no Nix for it.
 */
export function systemOf(architecture: string): string {
  const system = systems[architecture]
  if (system === undefined) {
    throw new UserError(`There is no Nix here for the processor architecture '${architecture}'.`, {
      advice: 'Run the job on an x86_64 or arm64 Linux runner.',
    })
  }
  return system
}

/**
 * Finds the release to install and the digest that its tarball must have.
 * @param version `2.31.4`; `2.31` is the newest pinned 2.31; undefined the default version
 * @param sha256 hex digest of the tarball, which wins over the pinned one
 * @throws UserError when neither a pin nor `sha256` tells the digest.
 */
export function selectRelease(
  version: string | undefined,
  sha256: string | undefined,
  system: string,
): Release {
  const wanted = version ?? defaultVersion
  if (sha256 !== undefined) return { version: wanted, system, sha256 }
  const versions = Object.keys(pinned)
    .filter(known => pinned[known]?.[system] !== undefined)
    .sort((a, b) => compareVersions(b, a))
  const found = versions.find(known => known === wanted || known.startsWith(`${wanted}.`))
  const digest = found === undefined ? undefined : pinned[found]?.[system]
  if (found === undefined || digest === undefined) {
    throw new UserError(`The digest of Nix ${wanted} for ${system} is not known to this action.`, {
      advice: `Set nix-version to one of ${versions.join(', ')}, or set nix-sha256 to the sha256 of nix-${wanted}-${system}.tar.xz.`,
    })
  }
  return { version: found, system, sha256: digest }
}

/** Whether the digest is this action's own, and not one that the user gave. */
export function isPinned({ version, system, sha256 }: Release): boolean {
  return pinned[version]?.[system] === sha256
}

/** `nix-2.35.2-x86_64-linux`: the name of the tarball and of the one folder in it. */
export function releaseName(release: Pick<Release, 'version' | 'system'>): string {
  return `nix-${release.version}-${release.system}`
}

/** Where a mirror with the layout of releases.nixos.org/nix has the tarball. */
export function releaseUrl(mirror: string, release: Pick<Release, 'version' | 'system'>): string {
  return `${mirror.replace(/\/+$/, '')}/nix-${release.version}/${releaseName(release)}.tar.xz`
}

/**
 * What `nix --version` says: `nix (Nix) 2.34.8`; also of forks: `nix (Lix, like Nix) 2.93.0`,
 * `nix (Determinate Nix 3.11.2) 2.31.1`; pre-releases lose their suffix.
 */
export function parseVersion(output: string): string | undefined {
  return /^nix \(.*\) (\d+\.\d+(?:\.\d+)?)/m.exec(output)?.[1]
}

/** Less than zero when `a` is the older version. A missing part counts as zero. */
export function compareVersions(a: string, b: string): number {
  const [as, bs] = [a.split('.').map(Number), b.split('.').map(Number)]
  for (let at = 0; at < Math.max(as.length, bs.length); at++) {
    const difference = (as[at] ?? 0) - (bs[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
