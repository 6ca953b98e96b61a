import { existsSync } from 'node:fs'
import { archiveName, archivePath, type NixEntry } from '../nix/keep.ts'
import type { Release } from '../nix/releases.ts'
import type { Entries } from './entries.ts'
import { nixKey } from './keys.ts'

/**
 * The recompressed Nix release as an entry of its own: it changes with the version only. Not to have it costs a
 * download and nothing else, so nothing is said when it cannot be had or kept.
 * @param folder the action's own folder in RUNNER_TEMP
 */
export function nixEntry(entries: Entries, release: Release, folder: string): NixEntry {
  const key = nixKey(archiveName(release))
  const file = archivePath(folder, release)
  return {
    async restore() {
      const { outcome } = await entries.restore(file, key)
      return outcome === 'restored' && existsSync(file) ? file : undefined
    },
    async save(saved) {
      if (saved !== file) throw new Error(`the release lies in ${saved}, not in ${file}`)
      await entries.save(file, key)
    },
  }
}
