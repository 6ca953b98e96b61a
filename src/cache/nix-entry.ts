import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { archiveName, archivePath, type NixEntry } from '../nix/keep.ts'
import type { Release } from '../nix/releases.ts'
import type { Entries } from './entries.ts'
import { nixKey } from './keys.ts'

/**
 * The recompressed Nix release as an entry of its own: it changes with the version only. Not to have it costs a
 * download and nothing else, so nothing is said when it cannot be had or kept. An entry cannot be written again, so one
 * that is damaged is followed by another with the next number.
 * @param folder the action's own folder in RUNNER_TEMP, the same in main and in post
 */
export function nixEntry(entries: Entries, release: Release, folder: string): NixEntry {
  const prefix = `${nixKey(archiveName(release))}-`
  const file = archivePath(folder, release)
  const opened = `${file}.key`
  return {
    async restore() {
      const result = await entries.restore(file, prefix, [prefix])
      if (result.outcome !== 'restored') return undefined
      // For post: what is saved after this one was found is saved because it is of no use.
      await writeFile(opened, result.key)
      return existsSync(file) ? file : undefined
    },
    async save(saved) {
      if (saved !== file) throw new Error(`the release lies in ${saved}, not in ${file}`)
      const damaged = await readFile(opened, 'utf8').catch(() => undefined)
      const found = await entries.find(file, prefix, [prefix])
      if (found.outcome === 'failed') return
      // Another job has kept it meanwhile.
      if (found.outcome === 'restored' && found.key !== damaged) return
      const number = found.outcome === 'restored' ? Number(found.key.slice(prefix.length)) || 0 : 0
      await entries.save(file, `${prefix}${number + 1}`)
    },
  }
}
