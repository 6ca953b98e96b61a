import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'

/** What an index was made of: a second, small document in its entry. */
export type Lineage = {
  /** Key of the base branch's index whose contents are in this one. */
  readonly base: string | undefined
  /** Keys that other jobs had taken for the same ref and whose indexes could not be had when this one was saved. */
  readonly missed: readonly Missed[]
}

export type Missed = {
  readonly key: string
  /** Seconds since the epoch. */
  readonly since: number
}

export const noLineage: Lineage = Object.freeze({ base: undefined, missed: [] })

const mostMissed = 20

const key = z.string().min(1).max(512)
const schema = z.object({
  base: key.optional(),
  missed: z.array(z.object({ key, since: z.number() })).max(mostMissed),
})

/** @param folder of the index. What is missing or damaged says nothing: some knowledge is put together once more. */
export async function readLineage(folder: string): Promise<Lineage> {
  try {
    const { base, missed } = schema.parse(JSON.parse(await readFile(join(folder, 'lineage.json'), 'utf8')))
    return { base, missed }
  } catch {
    return noLineage
  }
}

export async function writeLineage(folder: string, lineage: Lineage): Promise<void> {
  const missed = [...new Map(lineage.missed.map(one => [one.key, one])).values()].slice(-mostMissed)
  await writeFile(join(folder, 'lineage.json'), JSON.stringify({ ...lineage, missed }), { mode: 0o600 })
}
