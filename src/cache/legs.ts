import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pMap from 'p-map'
import { type Digest, isDigest, sha256 } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import type { Entries } from './entries.ts'

/**
 * What the legs of a matrix tell each other: which digest each of them has pushed. An entry holds nothing; its key says
 * all. Whoever has written down his own digest looks for the others', so that of two legs that end at the same time at
 * least one finds all of them.
 */
export type Legs = {
  /**
   * Writes down what this leg has pushed.
   * @throws UserError when the service does not take it
   */
  tell(platform: string, digest: Digest): Promise<void>
  /**
   * What was pushed for these platforms in this run, the newest for each.
   * @throws UserError when the service does not answer
   */
  ask(platforms: readonly string[]): Promise<ReadonlyMap<string, Digest>>
}

/**
 * @param options.together what the legs of one image have in common, and those of another image of the run have not
 * @param options.scratch an existing directory
 */
export function legs(
  entries: Entries,
  options: {
    readonly runId: string
    readonly runAttempt: string
    readonly together: string
    readonly scratch: string
  },
): Legs {
  const group = sha256(options.together).slice('sha256:'.length, 'sha256:'.length + 16)
  const prefixOf = (platform: string) =>
    `nia1-leg-${options.runId}-${group}-${platform.replaceAll('/', '_')}-`
  // Its name is part of what an entry is found by, so it is the same for all.
  const file = join(options.scratch, 'leg', 'digest')
  return {
    async tell(platform, digest) {
      await mkdir(join(options.scratch, 'leg'), { recursive: true })
      await writeFile(file, `${digest}\n`)
      // With the attempt, so that what a repeated leg has pushed is the newest.
      const key = `${prefixOf(platform)}${options.runAttempt}-${digest.slice('sha256:'.length)}`
      const saved = await entries.save(file, key)
      if ('why' in saved) throw apart(`${platform} could not be written down for them: ${saved.why}`)
    },
    async ask(platforms) {
      const found = await pMap(
        platforms,
        async platform => {
          const prefix = prefixOf(platform)
          const answer = await entries.find(file, prefix, [prefix])
          if (answer.outcome === 'failed') throw apart(`${platform} could not be looked up: ${answer.why}`)
          const digest = answer.outcome === 'restored' ? `sha256:${answer.key.split('-').at(-1)}` : ''
          return isDigest(digest) ? ([[platform, digest]] as const) : []
        },
        { concurrency: 4 },
      )
      return new Map(found.flat())
    },
  }
}

function apart(what: string): UserError {
  return new UserError(`The jobs of this matrix do not find each other: ${what}.`, {
    advice:
      'They meet in the Actions cache. Run the job again; where the runner has no such service, build all `systems` in one job.',
  })
}
