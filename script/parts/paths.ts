import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The repository's root. */
export const repository = resolve(import.meta.dirname, '../..')

/** The folder that holds all that was brought in. It can be deleted at any time. */
export const partsRoot = join(repository, '.parts')

/** Entries of the programs: `join(partsBin, 'skopeo')` runs on this system. */
export const partsBin = join(partsRoot, 'bin')

/** Debian packages as files, for flakes that unpack them inside Nix builds. */
export const partsDebs = join(partsRoot, 'debs')

/** Folder in the layout that Nix's releases are published in: what the input `nix-mirror` expects. */
export const partsMirror = join(partsRoot, 'nix-mirror')

/** The newest of them as an earlier job would have left it in the Actions cache. */
export const partsKept = join(partsRoot, 'kept')

/** Files that a test machine needs at system paths (`usr/bin/bash-static`, `usr/bin/sudo` …). */
export const partsSystem = join(partsRoot, 'system')

/** OpenSSH as its packages have it: its programs need `LD_LIBRARY_PATH`, so that they find what was unpacked with them. */
export const partsSsh = join(partsRoot, 'ssh')

/** Chromium without a screen and fonts, as their packages have them; it needs `LD_LIBRARY_PATH`, too. */
export const partsBrowser = join(partsRoot, 'browser')

/** A package's place and version, as it was brought in. */
export type Package = {
  readonly name: string
  readonly version: string
  readonly suite: string
  /** Absolute path of the .deb file. */
  readonly file: string
}

/** What `script/parts.ts` leaves in `.parts/stamp.json` when all is in place. */
export type Stamp = {
  /** Digest of what was asked for and of where; another one means that the parts must be made anew. */
  readonly spec: string
  readonly packages: readonly Package[]
  /** Wanted packages that this distribution does not have. */
  readonly missing: readonly string[]
  /** Newest first. */
  readonly nix: readonly NixTarball[]
  /** Where they come from, in words; and why not from the official mirror, if that is so. */
  readonly nixSource: string
  /** For each sample package the files in `.parts/debs` that it needs, its own among them. */
  readonly debs: Readonly<Record<string, readonly string[]>>
}

export type NixTarball = {
  readonly version: string
  /** `x86_64-linux`, `aarch64-linux` */
  readonly system: string
  /** Absolute path. */
  readonly file: string
  /** 64 hex digits. */
  readonly sha256: string
  /** Unpacked, patched for its final place: a `/nix/store` that holds Nix and what it needs. */
  readonly store: string
  /** `/nix/store/<hash>-nix-<version>` */
  readonly storePath: string
}

/** The stamp of the parts that are in place, or undefined when they were never (fully) brought in. */
export function readStamp(): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(join(partsRoot, 'stamp.json'), 'utf8')) as Stamp
  } catch {
    return undefined
  }
}

/**
 * The Nix releases that tests and demo install, newest first.
 * `mirror` is a folder to be served over HTTP. Throws when the parts were not brought in.
 */
export function nixRelease(): {
  readonly mirror: string
  readonly releases: readonly NixTarball[]
} {
  const stamp = readStamp()
  if (stamp === undefined) throw new Error('The parts are not in place: run `node script/parts.ts`')
  return { mirror: partsMirror, releases: stamp.nix }
}
