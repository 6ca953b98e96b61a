import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pMap from 'p-map'
import { findProgram } from '../nix/privilege.ts'
import { type Digest, isDigest, sha256 } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import type { Sleep } from '../util/sleep.ts'
import type { Entries } from './entries.ts'

/** How the jobs of a matrix that push one image together find each other. */
export type Legs = {
  /**
   * Writes down what this job has pushed.
   * @throws UserError when the service does not take it
   */
  tell(platform: string, digest: Digest): Promise<void>
  /**
   * What other jobs of the run have pushed, the newest for each platform. Of two jobs that have told, one at least finds
   * the other here, however close they are.
   * @param own platforms that this job has told of; none where it only collects
   * @throws UserError when the service fails, or does not show what must be there
   */
  meet(own: readonly string[], others: readonly string[]): Promise<ReadonlyMap<string, Digest>>
  /** What is found right now: it may be behind. */
  look(platforms: readonly string[]): Promise<ReadonlyMap<string, Digest>>
}

type Told = { readonly digest: Digest; readonly attempt: number }

/** Milliseconds between looking again for what must be there: three minutes in all. */
const patience = [1, 2, 3, 5, 8, 13, 20, 28, 30, 35, 35].map(seconds => seconds * 1000)
/** The same for what another attempt may have left a moment ago. */
const shortPatience = patience.slice(0, 6)

/**
 * Entries of the Actions cache hold nothing; their keys say all. That a key is taken is known at once; what was saved is
 * found only after a while. So who does not find another's entry takes a key that is meant for the two of them. Who
 * gets it is the first, and the other will find what was told; who does not, knows that the other has told, and waits
 * until it is found.
 * @param options.together what the jobs of one image have in common, and those of another image of the run have not
 * @param options.scratch an existing directory
 */
export function legs(
  entries: Entries,
  options: {
    readonly runId: string
    readonly runAttempt: number
    readonly together: string
    readonly scratch: string
    readonly sleep: Sleep
    readonly signal?: AbortSignal
  },
): Legs {
  const { runAttempt: attempt, sleep, signal } = options
  const group = `${options.runId}-${sha256(options.together).slice('sha256:'.length, 'sha256:'.length + 16)}`
  const plain = (platform: string) => platform.replaceAll('/', '_')
  const prefixOf = (platform: string) => `nia1-leg-${group}-${plain(platform)}-`
  const pairOf = (one: string, other: string) =>
    `nia1-pair-${group}-${attempt}-${[one, other].map(plain).sort().join('-')}`
  // Its name is part of what an entry is found by, so it is the same for all.
  const folder = join(options.scratch, 'legs')
  const file = join(folder, 'empty')

  const find = async (platform: string): Promise<Told | undefined> => {
    signal?.throwIfAborted()
    const prefix = prefixOf(platform)
    const answer = await entries.find(file, prefix, [prefix])
    if (answer.outcome === 'failed') throw apart(`${platform} could not be looked up: ${answer.why}`)
    if (answer.outcome === 'missing') return undefined
    const [, attempt, hex] = /^(\d+)(?:\.\d+)?-([0-9a-f]{64})$/.exec(answer.key.slice(prefix.length)) ?? []
    const digest = `sha256:${hex}`
    return isDigest(digest) ? { digest, attempt: Number(attempt) } : undefined
  }
  const wait = async (
    platform: string,
    waits: readonly number[],
    enough: (told: Told) => boolean,
  ): Promise<Told | undefined> => {
    for (const milliseconds of waits) {
      await sleep(milliseconds, signal)
      const told = await find(platform)
      if (told !== undefined && enough(told)) return told
    }
    return undefined
  }
  const save = async (key: string): Promise<'saved' | 'exists'> => {
    signal?.throwIfAborted()
    await mkdir(folder, { recursive: true })
    await writeFile(file, '')
    const saved = await entries.save(file, key)
    if ('why' in saved) throw apart(`this job could not leave a note there: ${saved.why}`)
    return saved.outcome
  }

  const meetOne = async (own: readonly string[], other: string): Promise<Told | undefined> => {
    const told = await find(other)
    if (told !== undefined && told.attempt >= attempt) return told
    // Who only collects comes after all that it needs.
    if (own.length === 0) return (await wait(other, patience, () => true)) ?? told
    const taken = await pMap(own, platform => save(pairOf(platform, other)), { concurrency: 4 })
    if (taken.includes('exists')) {
      const found = await wait(other, patience, ({ attempt: theirs }) => theirs >= attempt)
      if (found !== undefined) return found
      throw apart(`the job for ${other} has left its digest there, and the service does not show it`)
    }
    // This job is the first of the two in this attempt. In an earlier one the other may have told a moment ago.
    return told ?? (attempt === 1 ? undefined : await wait(other, shortPatience, () => true))
  }

  return {
    async tell(platform, digest) {
      // A key that is taken may be one of ours that came to nothing: the client asks again where an answer was lost.
      for (const again of ['', '.2', '.3'])
        if (
          (await save(`${prefixOf(platform)}${attempt}${again}-${digest.slice('sha256:'.length)}`)) ===
          'saved'
        )
          return
    },
    async meet(own, others) {
      return digests(
        await pMap(others, async other => [other, await meetOne(own, other)] as const, { concurrency: 4 }),
      )
    },
    async look(platforms) {
      return digests(await pMap(platforms, async one => [one, await find(one)] as const, { concurrency: 4 }))
    },
  }
}

function digests(found: readonly (readonly [string, Told | undefined])[]): ReadonlyMap<string, Digest> {
  return new Map(found.flatMap(([platform, told]) => (told === undefined ? [] : [[platform, told.digest]])))
}

function apart(what: string): UserError {
  return new UserError(
    `The jobs that push this image together do not find each other in the Actions cache: ${what}.`,
    {
      advice: 'Run the failed jobs again. Where that does not help, build all `systems` in one job.',
    },
  )
}

/**
 * The environment for the client of these entries. It packs with zstd where there is that program, with gzip where there
 * is none, and an entry that is packed in one way is not found by who would pack in the other. So nobody has zstd here.
 * @param folder a directory for links to the two programs that are needed
 */
export async function withoutZstd(env: NodeJS.ProcessEnv, folder: string): Promise<NodeJS.ProcessEnv> {
  const bin = join(folder, 'bin')
  await mkdir(bin, { recursive: true })
  for (const name of ['tar', 'gzip']) {
    const program = await findProgram(name, env.PATH)
    if (program !== undefined)
      await symlink(program, join(bin, name)).catch(error => {
        if (error.code !== 'EEXIST') throw error
      })
  }
  return { ...env, PATH: bin }
}
