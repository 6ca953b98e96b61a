import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { codeOf } from '../util/errors.ts'
import { workFolder } from './ground.ts'

/**
 * Says which jobs use a store that this action made: a file for each, with the folder that the job has as long as it
 * runs. A job that was killed leaves its file behind; the runner removes the folder before its next job.
 */
const jobs = join(workFolder, 'jobs')

/** Milliseconds. A job in a container may have its folder where nobody else sees it. */
const unseen = 6 * 60 * 60 * 1000

/** @param folder of this step, different from those of all other jobs of the machine */
export async function beginJob(folder: string): Promise<void> {
  await mkdir(jobs, { recursive: true })
  await writeFile(join(jobs, basename(folder)), folder)
}

export async function endJob(folder: string): Promise<void> {
  await rm(join(jobs, basename(folder)), { force: true })
}

/**
 * Whether another job, or another step of this one, may still use the store.
 * @param now milliseconds since the epoch
 */
export async function isUsedByOthers(folder: string, now: number): Promise<boolean> {
  const names = await readdir(jobs).catch(error => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  for (const name of names) {
    if (name === basename(folder)) continue
    const file = join(jobs, name)
    try {
      const [other, { mtimeMs }] = [await readFile(file, 'utf8'), await stat(file)]
      if (existsSync(other) || mtimeMs > now - unseen) return true
      await rm(file, { force: true })
    } catch (error) {
      // That job has just ended.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return false
}
