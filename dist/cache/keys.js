import { sha256 } from '../util/digest.js'

/** What the keys of all indexes and of all packs of one cache begin with, and those of no other cache. */
export function cachePrefixes({ system, scope }) {
  const readable = [system, ...(scope === '' ? [] : [scope])].map(plain).join('-')
  // The digest covers system and scope, so that scope `a` does not find what scope `a-b` saved.
  const digest = shortDigest(`${system}\n${scope}`)
  return { indexes: `nia1-index-${readable}-${digest}-`, packs: `nia1-pack-${digest}-` }
}

/**
 * What the key of every index of one ref begins with. The ref is part of it, since the service looks in a job's own
 * ref first: whatever was saved there would hide what the default branch has saved since.
 */
export function indexPrefix(name) {
  return `${cachePrefixes(name).indexes}${shortDigest(name.ref)}-`
}

/**
 * The key of one save. Nothing in it but the number, so that of two jobs that save at the same time one is told that
 * the key is taken: see `saveNext`.
 * @param generation 1 for the first index of a ref
 */
export function indexKey(name, generation) {
  return `${indexPrefix(name)}${String(generation).padStart(6, '0')}`
}

/** The number in the key of an index; 0 when there is no key, or none of this form. */
export function generationOf(name, key) {
  const prefix = indexPrefix(name)
  const digits = key?.startsWith(prefix) ? key.slice(prefix.length) : ''
  return /^\d{6,12}$/.test(digits) ? Number(digits) : 0
}

/** Names a pack by its contents: whoever made the same one has saved it for all. */
export function packKey(name, hash) {
  return `${cachePrefixes(name).packs}${hash}`
}

/**
 * Another key for the same pack: a job that is killed while it saves leaves a key that nobody can save under and
 * that nothing is found by.
 */
export function nextPackKey(name, hash, random) {
  return `${packKey(name, hash)}-${plain(random)}`
}

/** Whether an index may name `key` as that of the pack `hash`. */
export function isPackKey(key, hash) {
  const [, named] = /^nia1-pack-[0-9a-f]{12}-([0-9a-f]{64})(?:-[A-Za-z0-9_.]{1,64})?$/.exec(key) ?? []
  return named === hash
}

/** The service takes at most 512 characters and no comma. */
function plain(text) {
  return text.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 64)
}

function shortDigest(text) {
  return sha256(text).slice('sha256:'.length, 'sha256:'.length + 12)
}

/** Of an empty entry that shows whether a job may save. */
export const tryKey = 'nia1-may-save'

/** Names an installable Nix: the archive's name has version, system and digest. */
export function nixKey(archive) {
  return `nia1-nix-${plain(archive)}`
}
