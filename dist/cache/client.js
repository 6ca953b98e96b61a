import { restoreCache, saveCache } from '../vendor/actions-cache.js'
import { messageOf } from '../util/errors.js'

/**
 * The process that GitHub's cache client runs in: it is asked once, over IPC, and answers once. A process of its own
 * since the client reads GITHUB_WORKSPACE and the current directory, speaks to the user by itself (`::warning::`),
 * which only our words should do, and cannot be told to give up when the service hangs.
 */
export function answerOnce() {
  const orphaned = () => process.exit(1)
  process.once('disconnect', orphaned)
  process.once('message', async request => {
    const answer = await perform(request).catch(error => ({ problem: messageOf(error) }))
    process.off('disconnect', orphaned)
    process.send?.(answer, () => process.disconnect())
  })
}

async function perform(request) {
  if ('save' in request) return { done: (await saveCache([request.save], request.key)) !== -1 }
  const { restore, key, prefixes, lookupOnly } = request
  return { done: (await restoreCache([restore], key, [...prefixes], { lookupOnly })) ?? false }
}
