import { parseSigningKey, type SigningKey } from './attest/key.ts'
import { type Installable, type Pattern, parseInstallable, parsePattern } from './build/installable.ts'
import { ruleNames } from './check/inspect.ts'
import { type ImageTest, parseImageTest } from './container/image-test.ts'
import { chosenPlatforms, chosenSystems } from './image/chosen.ts'
import type { Platform } from './image/model.ts'
import type { TagEvent } from './metadata/event.ts'
import { type Metadata, readMetadata } from './metadata/metadata.ts'
import { type Builder, parseBuilders } from './nix/builders.ts'
import { userNetrc, userSandbox } from './nix/conf.ts'
import { type Destination, parseDestination, parseSshKey } from './nix/destination.ts'
import { type Login, splitLogin } from './nix/netrc.ts'
import { type Release, selectRelease } from './nix/releases.ts'
import type { Compression } from './registry/model.ts'
import { parseName, type Repository } from './registry/reference.ts'
import { UserError } from './util/errors.ts'
import { splitShellWords } from './util/shell-words.ts'

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
  /** Where signatures are kept: beside the image as bundles, or as older verifiers want them. */
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

const allSignFormats = ['bundle', 'tag'] as const
type SignFormat = (typeof allSignFormats)[number]

function isSignFormat(text: string): text is SignFormat {
  return (allSignFormats as readonly string[]).includes(text)
}

/** The job, as far as inputs depend on it. */
export type Surroundings = {
  /** `x86_64-linux` */
  readonly system: string
  readonly event: TagEvent
}

const defaultCacheSize = 4 * 1024 ** 3

/** Stands in until the problem with the version is thrown. */
const noRelease: Release = { version: '', system: '', sha256: '' }

/**
 * Reads and checks all inputs.
 * @throws UserError that lists every problem: malformed values, unknown enum values, contradictions.
 */
export function parseInputs(read: ReadInput, { system, event }: Surroundings): Inputs {
  const problems: string[] = []
  const problem = (name: InputName, what: string) => problems.push(`${name}: ${what}`)

  const oneOf = <T extends string>(name: InputName, allowed: readonly [T, ...T[]], otherwise: T): T => {
    const text = read(name)
    if (text === '') return otherwise
    const found = allowed.find(value => value === text)
    if (found === undefined) problem(name, `'${text}' is not one of ${allowed.join(', ')}`)
    return found ?? otherwise
  }
  const words = (name: InputName) => read(name).split(/\s+/).filter(Boolean)
  const lines = (name: InputName) =>
    read(name)
      .split(/\r?\n/)
      .map(line => line.trim())
      .filter(line => line !== '' && !line.startsWith('#'))
  const matching = (name: InputName, pattern: RegExp, form: string): string | undefined => {
    const text = read(name)
    if (text === '') return undefined
    if (pattern.test(text)) return text
    problem(name, `'${text}' is not ${form}`)
    return undefined
  }

  /** What `parse` refuses is a problem of this input. */
  const parsed = <T>(name: InputName, parse: () => T): T | undefined => {
    try {
      return parse()
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problem(name, [error.message, error.advice].filter(Boolean).join(' ').replaceAll('\n', '\n    '))
      return undefined
    }
  }

  const list = (name: InputName) => [
    ...new Set(
      read(name)
        .split(/[\s,]+/)
        .filter(Boolean),
    ),
  ]
  const systems = chosenSystems(list('systems'), system, what => problem('systems', what))
  const asked = read('systems') !== ''
  const platforms = chosenPlatforms(list('platforms'), { systems, asked }, what => problem('platforms', what))
  const version = matching('nix-version', /^\d+\.\d+(\.\d+)?$/, 'a version such as 2.31.4')
  const sha256 = matching('nix-sha256', /^[0-9a-fA-F]{64}$/, '64 hex digits')?.toLowerCase()
  const compression = oneOf('compression', ['gzip', 'zstd'], 'gzip')
  const splits = words('substituters').flatMap(text => parsed('substituters', () => splitLogin(text)) ?? [])
  const substituters = splits.filter(({ empty }) => !empty)
  // Here for what it refuses.
  parsed('nix-conf', () => userSandbox(read('nix-conf')))
  const inputs: Inputs = {
    image:
      read('image') === '' || systems.length === 0
        ? undefined
        : parsed('image', () => parseInstallable(read('image'))),
    ...{ systems, platforms },
    together: JSON.stringify([read('name').toLowerCase(), lines('tags'), lines('flavor'), platforms]),
    warm: lines('warm').flatMap(line => parsed('warm', () => parsePattern(line)) ?? []),
    repository: read('name') === '' ? undefined : parsed('name', () => parseName(read('name'))),
    ...readMetadata(read, event, parsed),
    push: oneOf('push', ['auto', 'true', 'false', 'digest'], 'auto'),
    username: read('username'),
    password: read('password'),
    compression,
    compressionLevel: compressionLevel(),
    release: parsed('nix-version', () => selectRelease(version, sha256, system)) ?? noRelease,
    load: oneOf('load', ['true', 'false'], 'false') === 'true',
    check: oneOf('check', ['error', 'warn', 'off'], 'error'),
    checkIgnored: list('check-ignore').sort(),
    test: parsed('test', () => parseImageTest(read('test'))),
    reproducible: oneOf('reproducible', ['true', 'false'], 'false') === 'true',
    provenance: oneOf('provenance', ['true', 'false'], 'false') === 'true',
    sbom: oneOf('sbom', ['true', 'false'], 'false') === 'true',
    sign: oneOf('sign', ['true', 'false'], 'false') === 'true',
    signKey:
      read('sign-key') === ''
        ? undefined
        : parsed('sign-key', () => parseSigningKey(read('sign-key'), read('sign-password'))),
    signFormats: signFormats(),
    releaseAsked: version !== undefined,
    installNix: oneOf('install-nix', ['always', 'if-needed'], 'always'),
    nixMirror: mirror(),
    nixConf: read('nix-conf'),
    substituters: substituters.map(({ url }) => url),
    logins: substituters.flatMap(({ login }) => login ?? []),
    lockedSubstituters: splits.flatMap(({ url, empty }) => (empty ? [url] : [])),
    trustedPublicKeys: words('trusted-public-keys'),
    copyTo: read('copy-to') === '' ? undefined : parsed('copy-to', () => parseDestination(read('copy-to'))),
    sshKey: read('ssh-key') === '' ? undefined : parsed('ssh-key', () => parseSshKey(read('ssh-key'))),
    builders: parsed('builders', () => parseBuilders(read('builders'))) ?? [],
    nixArgs: parsed('nix-args', () => splitShellWords(read('nix-args'))) ?? [],
    githubToken: read('github-token'),
    cache: oneOf('cache', ['true', 'read', 'false'], 'true'),
    cacheSize: cacheSize(),
    cacheScope: matching('cache-scope', /^[\w.-]{1,64}$/, 'up to 64 letters, digits, `.`, `-` or `_`') ?? '',
    cacheUpstream: oneOf('cache-upstream', ['true', 'false'], 'false') === 'true',
  }

  if (systems.length === 0) {
    if (platforms.length < 2)
      problem(
        'systems',
        '`none` builds nothing: name in `platforms` what other jobs have pushed, two at least',
      )
    if (inputs.push === 'digest' || read('name') === '')
      problem('systems', '`none` only publishes: it needs a `name`, and a `push` that lets it')
    for (const name of ['warm', 'load', 'test', 'reproducible', 'sbom', 'copy-to'] as const)
      if (!['', 'false'].includes(read(name)))
        problem('systems', `\`none\` builds nothing, and ${name} needs that`)
  } else if (!systems.includes(system))
    for (const name of ['load', 'test'] as const)
      if (inputs[name])
        problem(name, `is for the system of this runner, ${system}, which \`systems\` does not name`)
  for (const name of inputs.checkIgnored)
    if (!ruleNames.includes(name))
      problem('check-ignore', `there is no rule '${name}': rules are ${ruleNames.join(', ')}`)
  if (read('sign-key') !== '' && !inputs.sign) problem('sign-key', 'signs nothing: set `sign: true` too')
  if (read('sign-password') !== '' && read('sign-key') === '')
    problem('sign-password', 'is that of sign-key, and there is none')
  if (read('image') === '' && inputs.test !== undefined)
    problem('test', 'needs an image, and `image` is empty')
  if (read('image') === '' && inputs.sbom && systems.length > 0)
    problem('sbom', 'needs an image, and `image` is empty')
  if (read('image') === '' && lines('warm').length === 0)
    problem('image', 'nothing to do: both image and warm are empty')
  if (inputs.reproducible && read('image') === '')
    problem('reproducible', 'is about the image, and image is empty')
  if (sha256 !== undefined && version === undefined)
    problem('nix-sha256', 'is the digest of a version: set nix-version too')
  if (inputs.image !== undefined && inputs.push !== 'false' && read('name') === '')
    problem('name', 'is empty: an image to push needs a name such as ghcr.io/owner/app')
  if (inputs.push !== 'false' && inputs.repository?.name.startsWith('docker.io/library/'))
    problem(
      'name',
      `'${read('name')}' has neither registry nor owner: write ghcr.io/owner/app, or owner/app for Docker Hub`,
    )
  if (inputs.substituters.length > 0 && inputs.trustedPublicKeys.length === 0)
    problem(
      'substituters',
      'need trusted-public-keys: Nix takes nothing from a cache whose key it does not trust',
    )
  if (inputs.logins.length > 0 && userNetrc(inputs.nixConf))
    problem('substituters', 'hold a login, and nix-conf names a netrc-file: put the login into that file')
  const twice = inputs.logins.filter(({ host, user, password }) =>
    inputs.logins.some(other => other.host === host && (other.user !== user || other.password !== password)),
  )
  if (twice.length > 0)
    problem('substituters', `hold two logins for ${twice[0]?.host}, and Nix can have one for a host`)
  if (inputs.sshKey !== undefined && read('builders') === '' && inputs.copyTo?.kind !== 'ssh')
    problem('ssh-key', 'is for builders, and for copy-to with an ssh-ng:// URL: there is neither')

  if (problems.length > 0) {
    throw new UserError(
      `${problems.length === 1 ? 'An input is' : `${problems.length} inputs are`} not usable:\n${problems.map(text => `  - ${text}`).join('\n')}`,
      { advice: 'Correct the `with:` block of this step. Nothing was changed on this machine.' },
    )
  }
  return Object.freeze(inputs)

  function compressionLevel(): number | undefined {
    const text = read('compression-level')
    if (text === '') return undefined
    const most = compression === 'gzip' ? 9 : 19
    const level = Number(text)
    if (/^\d+$/.test(text) && level >= 1 && level <= most) return level
    problem(
      'compression-level',
      `'${text}' is not a whole number from 1 to ${most}, as ${compression} takes it`,
    )
    return undefined
  }

  function signFormats(): readonly SignFormat[] {
    const chosen = list('sign-format')
    for (const name of chosen)
      if (!isSignFormat(name)) problem('sign-format', `'${name}' is not one of ${allSignFormats.join(', ')}`)
    return chosen.length === 0 ? ['bundle'] : chosen.filter(isSignFormat)
  }

  function mirror(): string {
    const text = (read('nix-mirror') || 'https://releases.nixos.org/nix').replace(/\/+$/, '')
    if (!/^https?:\/\//.test(text) || !URL.canParse(text))
      problem('nix-mirror', `'${text}' is not an http(s) URL`)
    return text
  }

  function cacheSize(): number {
    const alias = read('gc-max-store-size')
    const size = parseSize(read('cache-size') || '4G')
    if (size === undefined)
      problem('cache-size', `'${read('cache-size')}' is not a size such as 4G, 500M or 4294967296`)
    if (alias === '') return size ?? 0
    const aliasSize = parseSize(alias)
    if (aliasSize === undefined) problem('gc-max-store-size', `'${alias}' is not a size in bytes`)
    else if (size !== undefined && size !== defaultCacheSize && size !== aliasSize)
      problem('gc-max-store-size', 'says something else than cache-size: set only one of them')
    return aliasSize ?? 0
  }
}

/** Bytes of `4G`, `500M`, `1.5G` or plain digits; K, M, G and T are powers of 1024. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text)
  if (found === null) return undefined
  const bytes = Math.floor(Number(found[1]) * 1024 ** ' KMGT'.indexOf((found[2] || ' ').toUpperCase()))
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}
