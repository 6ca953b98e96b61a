import { sha256 } from '../util/digest.js'

/**
 * What the key of every index of one cache begins with, and of no other cache: the digest that it ends in covers
 * system and scope, so that scope `a` does not find what scope `a-b` saved.
 */
export function indexPrefix({ system, scope }) {
  const readable = [system, ...(scope === '' ? [] : [scope])].map(plain).join('-')
  const digest = sha256(`${system}\n${scope}`).slice('sha256:'.length, 'sha256:'.length + 12)
  return `nia1-index-${readable}-${digest}-`
}

/**
 * The key of one save: new each time, also for two that save at the same millisecond.
 * @param options.now milliseconds since the epoch
 * @param options.random some characters that nobody else has
 */
export function indexKey(name, options) {
  const { now, runId, attempt, random } = options
  return `${indexPrefix(name)}${[String(now).padStart(15, '0'), runId, attempt, random].map(plain).join('-')}`
}

/** Names a pack by its contents: whoever made the same one has saved it for all. */
export function packKey(hash) {
  return `nia1-pack-${hash}`
}

/**
 * Another key for the same pack: a job that is killed while it saves leaves a key that nobody can save under and
 * that nothing is found by.
 */
export function nextPackKey(hash, random) {
  return `${packKey(hash)}-${plain(random)}`
}

/** Whether an index may name `key` as that of the pack `hash`. */
export function isPackKey(key, hash) {
  const rest = key.startsWith(packKey(hash)) ? key.slice(packKey(hash).length) : undefined
  return rest !== undefined && /^(-[A-Za-z0-9_.]{1,64})?$/.test(rest)
}

/** The service takes at most 512 characters and no comma. */
function plain(text) {
  return text.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 64)
}

/** Names an installable Nix: the archive's name has version, system and digest. */
export function nixKey(archive) {
  return `nia1-nix-${plain(archive)}`
}
