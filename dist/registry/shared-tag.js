import { UserError } from '../util/errors.js'

/** How often a manifest is written before other jobs are told to leave it alone. */
const attempts = 5

/**
 * Adds to a manifest that several jobs write under the same tag. Registries know no conditional write, so it is read
 * again after each: what another job has written over is added again.
 * @param add gives the manifest with what is missing in it, undefined when nothing is; from undefined when there is none
 * @throws UserError when the registry refuses, or other jobs keep writing it at the same time
 */
export async function addToTag(client, tag, mediaType, add, signal) {
  for (let attempt = 0; ; attempt++) {
    const bytes = await add((await client.getManifest(tag, signal))?.bytes)
    if (bytes === undefined) return
    if (attempt === attempts) {
      throw new UserError(`${client.repository.name}:${tag} loses what is added to it.`, {
        advice: 'Other jobs write to this tag at the same time. Run this job again.',
      })
    }
    await client.putManifest(tag, bytes, mediaType, signal)
  }
}
