import { sha256 } from '../util/digest.ts'

/** What separates one cache from another: a system's paths are of no use to another system. */
export type CacheName = {
  /** `x86_64-linux` */
  readonly system: string
  /** What the user separates caches by, of any form; empty by default. */
  readonly scope: string
}

/** Whose index of a cache it is: `refs/heads/main`, `refs/pull/7/merge`. */
export type IndexName = CacheName & { readonly ref: string }

/** What the keys of all indexes and of all packs of one cache begin with, and those of no other cache. */
export function cachePrefixes({ system, scope }: CacheName): {
  readonly indexes: string
  readonly packs: string
} {
  const readable = [system, ...(scope === '' ? [] : [scope])].map(plain).join('-')
  // The digest covers system and scope, so that scope `a` does not find what scope `a-b` saved.
  const digest = shortDigest(`${system}\n${scope}`)
  return { indexes: `nia1-index-${readable}-${digest}-`, packs: `nia1-pack-${digest}-` }
}

/**
 * What the key of every index of one ref begins with. The ref is part of it, since the service looks in a job's own
 * ref first: whatever was saved there would hide what the default branch has saved since.
 */
export function indexPrefix(name: IndexName): string {
  return `${cachePrefixes(name).indexes}${shortDigest(name.ref)}-`
}

/**
 * The key of one save. Nothing in it but the number, so that of two jobs that save at the same time one is told that
 * the key is taken: see `saveNext`.
 * @param generation 1 for the first index of a ref
 */
export function indexKey(name: IndexName, generation: number): string {
  return `${indexPrefix(name)}${String(generation).padStart(6, '0')}`
}

/** The number in the key of an index; 0 when there is no key, or none of this form. */
export function generationOf(name: IndexName, key: string | undefined): number {
  const prefix = indexPrefix(name)
  const digits = key?.startsWith(prefix) ? key.slice(prefix.length) : ''
  return /^\d{6,12}$/.test(digits) ? Number(digits) : 0
}

/** Names a pack by its contents: whoever made the same one has saved it for all. */
export function packKey(name: CacheName, hash: string): string {
  return `${cachePrefixes(name).packs}${hash}`
}

/**
 * Another key for the same pack: a job that is killed while it saves leaves a key that nobody can save under and
 * that nothing is found by.
 */
export function nextPackKey(name: CacheName, hash: string, random: string): string {
  return `${packKey(name, hash)}-${plain(random)}`
}

/** Whether an index may name `key` as that of the pack `hash`. */
export function isPackKey(key: string, hash: string): boolean {
  const [, named] = /^nia1-pack-[0-9a-f]{12}-([0-9a-f]{64})(?:-[A-Za-z0-9_.]{1,64})?$/.exec(key) ?? []
  return named === hash
}

/** The service takes at most 512 characters and no comma. */
function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 64)
}

function shortDigest(text: string): string {
  return sha256(text).slice('sha256:'.length, 'sha256:'.length + 12)
}

/** Of an empty entry that shows whether a job may save. */
export const tryKey = 'nia1-may-save'

/** Names an installable Nix: the archive's name has version, system and digest. */
export function nixKey(archive: string): string {
  return `nia1-nix-${plain(archive)}`
}
