/** Inputs, and inputs' inputs, that come from elsewhere: not those that are folders of the flake itself. Sorted. */
export function lockedInputs(nodes) {
  return Object.entries(nodes).flatMap(([name, { locked }]) => {
    const url = locked && urlOf(locked)
    if (url === undefined) return []
    return [{ name, url, rev: text(locked?.rev), narHash: text(locked?.narHash) }]
  })
}

/** https://nix.dev/manual/nix/latest/command-ref/new-cli/nix3-flake#types */
function urlOf(locked) {
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
export function publicUrl(reference) {
  if (!URL.canParse(reference)) return undefined
  const url = new URL(reference)
  if (/^(path|(git|hg|tarball|file)\+file|file):$/.test(url.protocol)) return undefined
  // Not in a form such as github:owner/repo, which has no place for them.
  if (url.host !== '') url.username = url.password = ''
  for (const name of [...url.searchParams.keys()]) if (!telling.includes(name)) url.searchParams.delete(name)
  url.hash = ''
  return url.href
}

function text(value) {
  return typeof value === 'string' ? value : undefined
}
