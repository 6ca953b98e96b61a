import { readFile } from 'node:fs/promises'
import type { Nix, PathInfo } from './model.ts'
import { setting } from './store.ts'

/** By which cache.nixos.org signs. */
export const officialKey = 'cache.nixos.org-1'

/** The name of a key, public or secret, or of the key that made a signature: `name:base64`. */
export const keyName = (text: string) => text.slice(0, Math.max(0, text.indexOf(':')))

/** Whether one of the keys signed it. @param keys names */
export function isSignedBy(info: PathInfo | undefined, keys: ReadonlySet<string>): boolean {
  return info?.signatures.some(signature => keys.has(keyName(signature))) === true
}

/**
 * Names of the keys that this Nix trusts and that are others': by its own it signs whatever is built here. Where it
 * cannot be read which those are, that is known of cache.nixos.org alone.
 */
export async function othersKeys(nix: Nix): Promise<ReadonlySet<string>> {
  const words = async (name: string) => (await setting(nix, name))?.split(/\s+/).filter(Boolean) ?? []
  const trusted = new Set((await words('trusted-public-keys')).map(keyName))
  try {
    const own = (await words('secret-key-files')).map(async file =>
      keyName((await readFile(file, 'utf8')).trim()),
    )
    return trusted.difference(new Set(await Promise.all(own)))
  } catch {
    return trusted.intersection(new Set([officialKey]))
  }
}
