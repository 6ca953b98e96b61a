import { relative, resolve } from 'node:path'
import type { Installable } from './installable.ts'

/** An input of a flake, as its lock file has it. */
export type LockedInput = {
  /** Of the node in the lock file: `nixpkgs`, `nixpkgs_2`. */
  readonly name: string
  /** Without credentials. */
  readonly url: string
  readonly rev: string | undefined
  /** `sha256-<base64>` */
  readonly narHash: string | undefined
}

/** The nodes of a lock file, by name. */
export type LockNodes = Readonly<
  Record<string, { readonly locked?: Readonly<Record<string, unknown>> | undefined }>
>

/** Inputs, and inputs' inputs, that come from elsewhere: not those that are folders of the flake itself. Sorted. */
export function lockedInputs(nodes: LockNodes): LockedInput[] {
  return Object.entries(nodes).flatMap(([name, { locked }]) => {
    const url = locked && urlOf(locked)
    if (url === undefined) return []
    return [{ name, url, rev: text(locked?.rev), narHash: text(locked?.narHash) }]
  })
}

/** https://nix.dev/manual/nix/latest/command-ref/new-cli/nix3-flake#types */
function urlOf(locked: Readonly<Record<string, unknown>>): string | undefined {
  const { type, owner, repo, rev, url, host } = locked
  switch (type) {
    case 'github':
    case 'gitlab':
    case 'sourcehut':
      return `${type}:${owner}/${repo}/${rev}${text(host) ? `?host=${host}` : ''}`
    case 'git':
    case 'hg':
      return publicUrl(`${type}+${url}`)
    case 'tarball':
    case 'file':
      return publicUrl(String(url))
    default:
      return undefined
  }
}

/** Whether a reference to a flake elsewhere names a commit or a hash. */
export function isPinned(flake: string): boolean {
  return /[0-9a-f]{40}|[?&]narHash=/.test(flake)
}

/** Settings of a flake's reference that say what it is, and not how it is reached. */
const telling = ['dir', 'host', 'ref', 'rev', 'narHash', 'submodules', 'lfs']

/** A flake's reference without what may be a credential, or a path of this machine. Undefined for what is not remote. */
export function publicUrl(reference: string): string | undefined {
  if (!URL.canParse(reference)) return undefined
  const url = new URL(reference)
  if (/^(path|(git|hg|tarball|file)\+file|file):$/.test(url.protocol)) return undefined
  // Not in a form such as github:owner/repo, which has no place for them.
  if (url.host !== '') url.username = url.password = ''
  keepTelling(url.searchParams)
  url.hash = ''
  return url.href
}

function keepTelling(settings: URLSearchParams): URLSearchParams {
  for (const name of [...settings.keys()]) if (!telling.includes(name)) settings.delete(name)
  return settings
}

/**
 * An installable for all to read: without what may be a credential, and with a folder as the workspace has it, such as
 * `./sub#image`. Undefined where the flake is on this machine, but not in the workspace.
 * @param workspace absolute path, which relative ones start from
 */
export function publicText(installable: Installable, workspace: string): string | undefined {
  const { attributes, outputs } = installable
  const flake = publicFlake(installable, workspace)
  if (flake === undefined) return undefined
  const path = attributes.map(quoted).join('.')
  const names = outputs === 'all' ? '*' : outputs?.join(',')
  return `${flake}${path && `#${path}`}${names === undefined ? '' : `^${names}`}`
}

function publicFlake({ flake, directory }: Installable, workspace: string): string | undefined {
  const scheme = /^(path|git\+file):/.exec(flake)?.[0] ?? ''
  if (scheme === '' && URL.canParse(flake)) return publicUrl(flake)
  const [name = '', query] = flake.split('?', 2)
  const settings = keepTelling(new URLSearchParams(query))
  const asked = settings.size === 0 ? '' : `?${settings}`
  // A name in the flake registry; what else has a colon is a URL that nobody can read.
  if (directory === undefined) return name.includes(':') ? undefined : `${name}${asked}`
  const dir = settings.get('dir')
  const root = dir ? directory.slice(0, -`/${dir}`.length) : directory
  const below = relative(workspace, resolve(workspace, root))
  const whole = relative(workspace, resolve(workspace, directory))
  if ([below, whole].some(path => path.split('/')[0] === '..')) return undefined
  // Only URLs have escapes.
  const path = scheme === '' ? below : below.split('/').map(encodeURIComponent).join('/')
  return `${scheme}${path === '' ? '.' : `./${path}`}${asked}`
}

/** The name of an attribute as Nix's command line reads it. */
function quoted(name: string): string {
  const escaped = name.replace(/[%^]/g, encodeURIComponent)
  return name === '*' || name.includes('.') ? `"${escaped}"` : escaped
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
