import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { tryKey } from './keys.js'

/**
 * Why the runner lets this job save nothing, as far as it says so: the same variable by which GitHub's client leaves a
 * save out.
 */
export function whyReadOnly({ ACTIONS_CACHE_MODE = '' }) {
  const mode = ACTIONS_CACHE_MODE.trim().toLowerCase()
  return ['read', 'none'].includes(mode) ? `the runner says that its cache mode is '${mode}'` : undefined
}

/**
 * Why the service lets this job save nothing, found out with the smallest entry that there is: its client asks only
 * when what shall be saved is complete. Where another job has saved that entry before, one request tells.
 * @param folder the action's own
 * @returns undefined when it may save, or when the service does not say
 */
export async function whyDenied(store, folder) {
  const file = join(folder, 'may-save', 'empty')
  await mkdir(join(folder, 'may-save'), { recursive: true, mode: 0o700 })
  await writeFile(file, '')
  const result = await store.save(file, tryKey)
  return result.outcome === 'denied' ? result.why : undefined
}
