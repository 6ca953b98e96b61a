import { restoreCache, saveCache } from '@actions/cache'
import { messageOf } from '../util/errors.ts'

/**
 * What GitHub's client is asked to do, with something that lies directly in the current directory: the client makes
 * the name that it is given part of the entry's identity, so it must be the same wherever a runner has its folders.
 */
export type EntryRequest =
  | {
      readonly restore: string
      readonly key: string
      readonly prefixes: readonly string[]
      /** Only look whether there is one. */
      readonly lookupOnly: boolean
    }
  | { readonly save: string; readonly key: string }

/** `done` is the key that was found, or whether it was saved; what went wrong the client mostly prints. */
export type EntryAnswer = { readonly done: string | boolean } | { readonly problem: string }

/**
 * The process that GitHub's cache client runs in: it is asked once, over IPC, and answers once. A process of its own
 * since the client reads GITHUB_WORKSPACE and the current directory, speaks to the user by itself (`::warning::`),
 * which only our words should do, and cannot be told to give up when the service hangs.
 */
export function answerOnce(): void {
  const orphaned = () => process.exit(1)
  process.once('disconnect', orphaned)
  process.once('message', async (request: EntryRequest) => {
    const answer = await perform(request).catch((error): EntryAnswer => ({ problem: messageOf(error) }))
    process.off('disconnect', orphaned)
    process.send?.(answer, () => process.disconnect())
  })
}

async function perform(request: EntryRequest): Promise<EntryAnswer> {
  if ('save' in request) return { done: (await saveCache([request.save], request.key)) !== -1 }
  const { restore, key, prefixes, lookupOnly } = request
  return { done: (await restoreCache([restore], key, [...prefixes], { lookupOnly })) ?? false }
}
