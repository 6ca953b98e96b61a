import { createHash, createPublicKey, verify } from 'node:crypto'
import { promisify } from 'node:util'
import { base32OfHash, fromNixBase32, nixBase32 } from '../util/base32.js'

import { keyName } from './signatures.js'
import { setting } from './store.js'

/** The keys whose signatures this Nix takes. */
export async function trustedKeys(nix) {
  return parseKeys((await setting(nix, 'trusted-public-keys')) ?? '')
}

/**
 * Whether what a build gives may be named by its content, and not by evaluation: then that a path's name follows from its
 * content does not show that it is the one that was asked for.
 */
export async function namesResultsByContent(nix) {
  return (await setting(nix, 'experimental-features'))?.split(/\s+/).includes('ca-derivations') ?? false
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
export async function evidenceOf(info, keys) {
  if (isContentAddressed(info)) return { by: 'content' }
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
  const [, store, digest, name] = /^(.*)\/([0-9a-z]{32})-(.+)$/.exec(path) ?? []
  const [, method, algorithm, encoded = ''] = /^(text:|fixed:(?:r:|git:)?)(\w+):(\w+)$/.exec(ca ?? '') ?? []
  const hash = fromNixBase32(encoded)
  if (store === undefined || algorithm === undefined || hash === undefined) return false
  const hex = hash.toString('hex')
  const others = references.filter(reference => reference !== path).toSorted()
  const refersToItself = others.length < references.length
  const digestFor = (type, inner) => nixBase32(folded(sha256(`${type}:sha256:${inner}:${store}:${name}`)))
  const withReferences = type => [type, ...others, ...(refersToItself ? ['self'] : [])].join(':')
  if (method === 'text:') return digest === digestFor(withReferences('text'), hex)
  if (method === 'fixed:r:' && algorithm === 'sha256')
    return digest === digestFor(withReferences('source'), hex)
  const inner = sha256(`fixed:out:${method?.slice('fixed:'.length)}${algorithm}:${hex}:`).toString('hex')
  return references.length === 0 && digest === digestFor('output:out', inner)
}

/**
 * Where a flake's tree is in the store, by its NAR hash.
 * @param narHash `sha256-<base64>`
 */
export function sourcePath(narHash, store) {
  const hex = Buffer.from(narHash.slice('sha256-'.length), 'base64').toString('hex')
  return `${store}/${nixBase32(folded(sha256(`source:sha256:${hex}:${store}:source`)))}-source`
}

/** The 160 bits that a store path's name has of a hash. */
function folded(hash) {
  const bytes = Buffer.alloc(20)
  for (const [at, byte] of hash.entries()) bytes[at % 20] = (bytes[at % 20] ?? 0) ^ byte
  return bytes
}

function sha256(text) {
  return createHash('sha256').update(text).digest()
}
