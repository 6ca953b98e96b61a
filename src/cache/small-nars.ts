import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { PathInfo } from '../nix/model.ts'
import { base32OfHash } from '../util/base32.ts'
import type { NarFile } from './nar-file.ts'
import type { NarResult, NarWork } from './nar-worker.ts'
import { narFile } from './narinfo.ts'

export type WrittenNars = {
  /** By store path, without those that Nix could not give. */
  readonly nars: ReadonlyMap<string, NarFile>
  /** In Nix's words: why some could not be given. */
  readonly problems: readonly string[]
}

/** Bytes of a NAR that is held in memory, once for each thread. */
export const mostInMemory = 16 * 1024 * 1024

/** Paths that a thread is given at once: handing over costs some 0.1 ms. */
const handful = 32

/**
 * Compresses NARs of small paths, one path a thread at a time. `nix copy` needs a fraction of a millisecond for each
 * path whatever its size, and one that is not what Nix registered goes unnoticed there.
 * @param options.folder of a binary cache: the files go into `nar` below it
 * @param options.worker the built `nar-worker.js`
 * @throws Error when the disk is full (ENOSPC)
 */
export async function writeSmallNars(options: {
  readonly paths: readonly PathInfo[]
  readonly folder: string
  readonly worker: string
  /** Threads. @default one for each processor, at most 8 */
  readonly concurrency?: number
}): Promise<WrittenNars> {
  const { paths, folder, worker, concurrency = Math.min(8, availableParallelism()) } = options
  const nars = new Map<string, NarFile>()
  const problems: string[] = []
  await mkdir(join(folder, 'nar'), { recursive: true, mode: 0o700 })
  let next = 0
  const work = (): NarWork | undefined => {
    const some = paths.slice(next, next + handful)
    next += some.length
    if (some.length === 0) return undefined
    const described = some.map(({ path, narSize, narHash }) => {
      return { path, narSize, narHash: base32OfHash(narHash) ?? '' }
    })
    return { folder, paths: described }
  }
  const take = (result: NarResult): void => {
    if ('problem' in result) {
      if (result.code === 'ENOSPC' || result.code === 'EDQUOT') {
        // The other threads begin nothing more.
        next = paths.length
        throw Object.assign(new Error(result.problem), { code: result.code })
      }
      problems.push(result.problem)
    } else {
      const { path, fileHash, fileSize } = result
      nars.set(path, { fileHash, fileSize, file: join(folder, narFile(fileHash)) })
    }
  }
  const threads = Math.min(concurrency, Math.ceil(paths.length / handful))
  const ends = await Promise.allSettled(Array.from({ length: threads }, () => thread(worker, work, take)))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return { nars, problems }
}

/** Gives a thread work as long as there is some. */
async function thread(
  file: string,
  work: () => NarWork | undefined,
  take: (result: NarResult) => void,
): Promise<void> {
  const worker = new Worker(file)
  try {
    await new Promise<void>((resolve, reject) => {
      const give = () => {
        const some = work()
        if (some === undefined) resolve()
        else worker.postMessage(some)
      }
      worker.on('message', (results: readonly NarResult[]) => {
        try {
          for (const result of results) take(result)
          give()
        } catch (error) {
          reject(error)
        }
      })
      worker.once('error', reject)
      worker.once('exit', () => reject(new Error('a thread that compresses has ended')))
      give()
    })
  } finally {
    await worker.terminate()
  }
}
