import { basename } from 'node:path'

/**
 * Takes a store path's name apart. The derivation's name tells where the name of the output begins.
 * @param deriver store path of the derivation
 */
export function storeName(path, deriver) {
  const [, hash = '', full = basename(path)] = /^([0-9a-z]{32})-(.+)$/s.exec(basename(path)) ?? []
  const derived = deriver && /^[0-9a-z]{32}-(.+)\.drv$/.exec(basename(deriver))?.[1]
  if (derived === full) return { hash, ...parseName(full), output: 'out' }
  return derived !== undefined && full.startsWith(`${derived}-`)
    ? { hash, ...parseName(derived), output: full.slice(derived.length + 1) }
    : { hash, ...parseName(full), output: undefined }
}

/**
 * Parts a package's version from its name, as `builtins.parseDrvName` does: at the first dash that is followed by
 * something else than a letter.
 */
export function parseName(full) {
  const at = full.search(/-[^A-Za-z]/)
  return at === -1 ? { name: full, version: '' } : { name: full.slice(0, at), version: full.slice(at + 1) }
}

/**
 * A package URL: https://github.com/package-url/purl-spec
 * @param name with its namespace, parted by slashes
 * @param qualifiers those that are empty are left out
 */
export function packageUrl(type, name, version, qualifiers = {}) {
  const pairs = Object.entries(qualifiers)
    .flatMap(([key, value]) => (value ? [`${key}=${encode(value)}`] : []))
    .sort()
  const path = name.split('/').map(encode).join('/')
  return `pkg:${type}/${path}${version && `@${encode(version)}`}${pairs.length > 0 ? `?${pairs.join('&')}` : ''}`
}

function encode(text) {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%3A', ':')
}
