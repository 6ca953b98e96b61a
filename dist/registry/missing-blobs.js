import { realSleep } from '../util/sleep.js'

import { BlobUnknown } from './failure.js'

/** Milliseconds before the blobs are asked for again. */
const waits = [1000, 5000]

/**
 * Puts a manifest, and twice more where the registry says that it lacks a blob of it: at GHCR this may pass.
 * @param put sees that the registry has the blobs, and puts the manifest; told how often that has failed
 * @throws BlobUnknown when the registry still lacks one
 */
export async function withBlobs({ repository }, { log, sleep = realSleep, signal }, put) {
  for (let failed = 0; ; failed++) {
    try {
      return await put(failed)
    } catch (error) {
      const wait = waits[failed]
      if (!(error instanceof BlobUnknown) || wait === undefined) throw error
      log?.info(missing(repository))
      await sleep(wait, signal)
    }
  }
}

/** What is said before blobs are asked for again. */
export function missing({ host }) {
  return `${host} misses a blob that it had; asking for each again.`
}
