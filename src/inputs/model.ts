import type { SigningKey } from '../attest/key.ts'
import type { Installable, Pattern } from '../build/installable.ts'
import type { ImageTest } from '../container/image-test.ts'
import type { Platform } from '../image/model.ts'
import type { Metadata } from '../metadata/metadata.ts'
import type { Builder } from '../nix/builders.ts'
import type { Destination } from '../nix/destination.ts'
import type { Login } from '../nix/netrc.ts'
import type { Release } from '../nix/releases.ts'
import type { Compression } from '../registry/model.ts'
import type { Repository } from '../registry/reference.ts'

/** Gives an input's text as the runner hands it over, trimmed; empty when it is not set. */
export type ReadInput = (name: InputName) => string

/** Every input of the contract, in the order of action.yml. A test holds the two together. */
export const inputNames = [
  'image',
  'warm',
  'systems',
  'platforms',
  'name',
  'tags',
  'flavor',
  'labels',
  'annotations',
  'push',
  'username',
  'password',
  'compression',
  'compression-level',
  'load',
  'check',
  'check-ignore',
  'test',
  'reproducible',
  'provenance',
  'sbom',
  'sign',
  'sign-key',
  'sign-password',
  'sign-format',
  'nix-version',
  'nix-sha256',
  'nix-mirror',
  'nix-conf',
  'install-nix',
  'substituters',
  'trusted-public-keys',
  'copy-to',
  'nix-args',
  'builders',
  'ssh-key',
  'github-token',
  'cache',
  'cache-size',
  'gc-max-store-size',
  'cache-scope',
  'cache-upstream',
] as const

export type InputName = (typeof inputNames)[number]

/** Where signatures can be kept: beside the image as bundles, or as older verifiers want them. */
export const signFormats = ['bundle', 'tag'] as const
export type SignFormat = (typeof signFormats)[number]

/** What the workflow asks for: every input parsed and checked against the others. */
export type Inputs = Metadata & {
  /** Undefined when nothing is to be pushed. */
  readonly image: Installable | undefined
  readonly warm: readonly (Installable | Pattern)[]
  /** Nix systems that this job builds for; none in a job that only puts together what others have pushed. */
  readonly systems: readonly string[]
  /** All that the published image has, sorted: those of `systems`, and in a matrix those of the other jobs. */
  readonly platforms: readonly Platform[]
  /** What the jobs of a matrix that push one image together have in common. */
  readonly together: string
  /** Undefined when the name is empty, which only a run that does not push may have. */
  readonly repository: Repository | undefined
  /** `digest`: as `auto`, without tags. */
  readonly push: 'true' | 'false' | 'auto' | 'digest'
  readonly username: string
  readonly password: string
  readonly compression: Compression
  readonly compressionLevel: number | undefined
  /** To install where there is no Nix, and whether the user asked for this version. */
  readonly release: Release
  /** Whether the image is also given to Docker or Podman. */
  readonly load: boolean
  /** Whether the image is inspected, and whether what it finds stops the run. */
  readonly check: 'error' | 'warn' | 'off'
  /** Rules of the inspection that are turned off, sorted. */
  readonly checkIgnored: readonly string[]
  /** What has to work in the image before it is pushed. */
  readonly test: ImageTest | undefined
  /** Whether what was built is built a second time, and compared. */
  readonly reproducible: boolean
  /** Whether it is attested where the published image comes from. */
  readonly provenance: boolean
  /** Whether what the image holds is written down. */
  readonly sbom: boolean
  /** Whether the published image is signed. */
  readonly sign: boolean
  /** To sign with in place of the job's identity. */
  readonly signKey: SigningKey | undefined
  readonly signFormats: readonly SignFormat[]
  readonly releaseAsked: boolean
  readonly installNix: 'always' | 'if-needed'
  readonly nixMirror: string
  readonly nixConf: string
  /** Without their logins. */
  readonly substituters: readonly string[]
  readonly logins: readonly Login[]
  /** Those whose login has no password, which are not in `substituters`. */
  readonly lockedSubstituters: readonly string[]
  readonly trustedPublicKeys: readonly string[]
  readonly copyTo: Destination | undefined
  /** A private key, as ssh reads it. */
  readonly sshKey: string | undefined
  readonly nixArgs: readonly string[]
  readonly builders: readonly Builder[]
  readonly githubToken: string
  readonly cache: 'true' | 'read' | 'false'
  /** Bytes. */
  readonly cacheSize: number
  readonly cacheScope: string
  readonly cacheUpstream: boolean
}
