import { createPublicKey, hash, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { base32OfHash, fromNixBase32, nixBase32 } from '../util/base32.js'

import { keyName } from './signatures.js'
import { settings } from './store.js'

export async function measureOf(nix) {
  const setting = await settings(nix)
  const features = setting('experimental-features')?.split(/\s+/) ?? []
  return {
    keys: parseKeys(setting('trusted-public-keys') ?? ''),
    namesResultsByContent: features.includes('ca-derivations'),
  }
}

/** @param text `name:base64`, with white space between them; what is no key is left out */
export function parseKeys(text) {
  const keys = new Map()
  for (const word of text.split(/\s+/)) {
    const name = keyName(word)
    const x = Buffer.from(word.slice(name.length + 1), 'base64')
    // Of two with one name Nix takes the first.
    if (name === '' || x.length !== 32 || keys.has(name)) continue
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') }
    keys.set(name, createPublicKey({ key: jwk, format: 'jwk' }))
  }
  return keys
}

/** In threads of Node's: a signature takes a fraction of a millisecond, and there may be thousands. */
const verified = promisify(verify)

/** Looks at a valid store path, whose NAR hash Nix has verified. */
export async function evidenceOf(info, { keys, namesResultsByContent }) {
  if (!namesResultsByContent && isContentAddressed(info)) return { by: 'content' }
  const said = fingerprint(info)
  for (const signature of info.signatures) {
    const name = keyName(signature)
    const key = keys.get(name)
    const bytes = Buffer.from(signature.slice(name.length + 1), 'base64')
    if (key !== undefined && (await verified(undefined, said, key, bytes)))
      return { by: 'signature', key: name }
  }
  return { by: 'nothing' }
}

/** What binary caches sign of a path: all of its description that matters. */
function fingerprint({ path, narHash, narSize, references }) {
  const said = ['1', path, `sha256:${base32OfHash(narHash)}`, narSize, references.toSorted().join(',')]
  return Buffer.from(said.join(';'))
}

/**
 * Whether a path's name follows from its content address. That the content has this address Nix itself sees to.
 * https://nix.dev/manual/nix/latest/protocols/store-path
 */
function isContentAddressed({ path, ca, references }) {
  const [, store, name] = /^(.*)\/[0-9a-z]{32}-(.+)$/.exec(path) ?? []
  const [, method, algorithm, encoded = ''] = /^(text:|fixed:(?:r:|git:)?)(\w+):(\w+)$/.exec(ca ?? '') ?? []
  const hex = fromNixBase32(encoded)?.toString('hex')
  if (store === undefined || name === undefined || algorithm === undefined || hex === undefined) return false
  const others = references.filter(reference => reference !== path).toSorted()
  const self = others.length < references.length ? ['self'] : []
  const withReferences = type => [type, ...others, ...self].join(':')
  if (method === 'text:') return path === storePath(store, withReferences('text'), hex, name)
  if (method === 'fixed:r:' && algorithm === 'sha256')
    return path === storePath(store, withReferences('source'), hex, name)
  const inner = hash('sha256', `fixed:out:${method?.slice('fixed:'.length)}${algorithm}:${hex}:`)
  return references.length === 0 && path === storePath(store, 'output:out', inner, name)
}

/**
 * Where a flake's tree is in the store, by its NAR hash.
 * @param narHash `sha256-<base64>`
 */
export function sourcePath(narHash, store) {
  const hex = Buffer.from(narHash.slice('sha256-'.length), 'base64').toString('hex')
  return storePath(store, 'source', hex, 'source')
}

/** Of a hash a store path's name has 160 bits. */
function storePath(store, type, hex, name) {
  const whole = hash('sha256', `${type}:sha256:${hex}:${store}:${name}`, 'buffer')
  const folded = Buffer.alloc(20)
  for (const [at, byte] of whole.entries()) folded[at % 20] = (folded[at % 20] ?? 0) ^ byte
  return `${store}/${nixBase32(folded)}-${name}`
}
