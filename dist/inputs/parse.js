import { parseSigningKey } from '../attest/key.js'
import { parseInstallable, parsePattern } from '../build/installable.js'
import { parseImageTest } from '../container/image-test.js'
import { chosenPlatforms, chosenSystems } from '../image/chosen.js'

import { readMetadata } from '../metadata/metadata.js'
import { parseBuilders } from '../nix/builders.js'
import { userSandbox } from '../nix/conf.js'
import { parseDestination, parseSshKey } from '../nix/destination.js'
import { splitLogin } from '../nix/netrc.js'
import { selectRelease } from '../nix/releases.js'
import { parseName } from '../registry/reference.js'
import { UserError } from '../util/errors.js'
import { splitShellWords } from '../util/shell-words.js'
import { entriesOf } from '../util/text.js'

import { contradictions } from './contradictions.js'
import { signFormats } from './model.js'

function isSignFormat(text) {
  return signFormats.includes(text)
}

const defaultCacheSize = 4 * 1024 ** 3

/** Stands in until the problem with the version is thrown. */
const noRelease = { version: '', system: '', sha256: '' }

/**
 * Reads and checks all inputs.
 * @throws UserError that lists every problem: malformed values, unknown enum values, contradictions.
 */
export function parseInputs(read, { system, event }) {
  const problems = []
  const problem = (name, what) => problems.push(`${name}: ${what}`)

  const oneOf = (name, allowed, otherwise) => {
    const text = read(name)
    if (text === '') return otherwise
    const found = allowed.find(value => value === text)
    if (found === undefined) problem(name, `'${text}' is not one of ${allowed.join(', ')}`)
    return found ?? otherwise
  }
  const words = name => read(name).split(/\s+/).filter(Boolean)
  const lines = name => entriesOf(read(name))
  const matching = (name, pattern, form) => {
    const text = read(name)
    if (text === '') return undefined
    if (pattern.test(text)) return text
    problem(name, `'${text}' is not ${form}`)
    return undefined
  }

  /** What `parse` refuses is a problem of this input. */
  const parsed = (name, parse) => {
    try {
      return parse()
    } catch (error) {
      if (!(error instanceof UserError)) throw error
      problem(name, [error.message, error.advice].filter(Boolean).join(' ').replaceAll('\n', '\n    '))
      return undefined
    }
  }

  const list = name => [
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
  const inputs = {
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
    signFormats: chosenFormats(),
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

  for (const [name, what] of contradictions(inputs, read, system)) problem(name, what)

  if (problems.length > 0) {
    throw new UserError(
      `${problems.length === 1 ? 'An input is' : `${problems.length} inputs are`} not usable:\n${problems.map(text => `  - ${text}`).join('\n')}`,
      { advice: 'Correct the `with:` block of this step. Nothing was changed on this machine.' },
    )
  }
  return Object.freeze(inputs)

  function compressionLevel() {
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

  function chosenFormats() {
    const chosen = list('sign-format')
    for (const name of chosen)
      if (!isSignFormat(name)) problem('sign-format', `'${name}' is not one of ${signFormats.join(', ')}`)
    return chosen.length === 0 ? ['bundle'] : chosen.filter(isSignFormat)
  }

  function mirror() {
    const text = (read('nix-mirror') || 'https://releases.nixos.org/nix').replace(/\/+$/, '')
    if (!/^https?:\/\//.test(text) || !URL.canParse(text))
      problem('nix-mirror', `'${text}' is not an http(s) URL`)
    return text
  }

  function cacheSize() {
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
export function parseSize(text) {
  const found = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text)
  if (found === null) return undefined
  const bytes = Math.floor(Number(found[1]) * 1024 ** ' KMGT'.indexOf((found[2] || ' ').toUpperCase()))
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}
