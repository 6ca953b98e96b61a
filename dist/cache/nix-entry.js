import { existsSync } from 'node:fs'
import { archiveName, archivePath } from '../nix/keep.js'

import { nixKey } from './keys.js'

/**
 * The recompressed Nix release as an entry of its own: it changes with the version only. Not to have it costs a
 * download and nothing else, so nothing is said when it cannot be had or kept.
 * @param folder the action's own folder in RUNNER_TEMP
 */
export function nixEntry(entries, release, folder) {
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
