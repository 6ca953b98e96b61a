import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from '../vendor/zod.js'

export const noLineage = Object.freeze({ base: undefined, missed: [] })

const mostMissed = 20

const key = z.string().min(1).max(512)
const schema = z.object({
  base: key.optional(),
  missed: z.array(z.object({ key, since: z.number() })).max(mostMissed),
})

/** @param folder of the index. What is missing or damaged says nothing: some knowledge is put together once more. */
export async function readLineage(folder) {
  try {
    const { base, missed } = schema.parse(JSON.parse(await readFile(join(folder, 'lineage.json'), 'utf8')))
    return { base, missed }
  } catch {
    return noLineage
  }
}

export async function writeLineage(folder, lineage) {
  const missed = [...new Map(lineage.missed.map(one => [one.key, one])).values()].slice(-mostMissed)
  await writeFile(join(folder, 'lineage.json'), JSON.stringify({ ...lineage, missed }), { mode: 0o600 })
}
