import { restoreCache, saveCache } from '@actions/cache'
import { messageOf } from '../util/errors.ts'
import { type EntryAnswer, type EntryRequest, endOfWords } from './client-model.ts'

/**
 * The process that GitHub's cache client runs in: it is asked over IPC, one thing after another, and lives as long as
 * somebody may ask. A process of its own since the client reads GITHUB_WORKSPACE and the current directory, speaks to
 * the user by itself (`::warning::`), which only our words should do, and cannot be told to give up when the service
 * hangs.
 */
export function answerAll(): void {
  process.once('disconnect', () => process.exit(1))
  process.on('message', async (request: EntryRequest) => {
    const answer = await perform(request).catch((error): EntryAnswer => ({ problem: messageOf(error) }))
    process.stdout.write(`\n${endOfWords}\n`)
    process.send?.(answer)
  })
}

async function perform(request: EntryRequest): Promise<EntryAnswer> {
  const { folder, key } = request
  process.chdir(folder)
  process.env.GITHUB_WORKSPACE = folder
  process.env.RUNNER_TEMP = folder
  if ('save' in request) return { done: (await saveCache([request.save], key)) !== -1 }
  const { restore, prefixes, lookupOnly } = request
  return { done: (await restoreCache([restore], key, [...prefixes], { lookupOnly })) ?? false }
}
