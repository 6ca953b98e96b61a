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
  const { type, owner, repo, rev, url } = locked
  switch (type) {
    case 'github':
    case 'gitlab':
    case 'sourcehut':
      return `${type}:${owner}/${repo}/${rev}`
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

/** Settings of a flake's reference that say what it is, and not how it is reached. */
const telling = ['dir', 'ref', 'rev', 'narHash', 'submodules', 'lfs']

/** A flake's reference without what may be a credential, or a path of this machine. Undefined for what is not remote. */
export function publicUrl(reference: string): string | undefined {
  if (!URL.canParse(reference)) return undefined
  const url = new URL(reference)
  if (/^(path|(git|hg|tarball|file)\+file|file):$/.test(url.protocol)) return undefined
  // Not in a form such as github:owner/repo, which has no place for them.
  if (url.host !== '') url.username = url.password = ''
  for (const name of [...url.searchParams.keys()]) if (!telling.includes(name)) url.searchParams.delete(name)
  url.hash = ''
  return url.href
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
