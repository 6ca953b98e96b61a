import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress } from 'node:zlib'
import pMap from 'p-map'
import type { Nix, PathInfo } from '../nix/model.ts'
import { codeOf } from '../util/errors.ts'
import { readExport } from './export-stream.ts'
import { nixBase32 } from './narinfo.ts'

/** A compressed NAR as a file. */
export type NarFile = {
  /** SHA-256 of the file, 52 characters of Nix's base 32. */
  readonly fileHash: string
  /** Bytes. */
  readonly fileSize: number
  /** Absolute. */
  readonly file: string
}

export type WrittenNars = {
  /** By store path, without those that Nix could not give. */
  readonly nars: ReadonlyMap<string, NarFile>
  /** In Nix's words: why some could not be given. */
  readonly problems: readonly string[]
}

/** Bytes of NARs and number of paths that one call of Nix is asked for. */
const batchBytes = 128 * 1024 * 1024
const batchPaths = 1000

/** From this many bytes on a path is exported alone, so that others are compressed beside it. */
const large = 16 * 1024 * 1024

/**
 * Compresses the NARs of store paths into files. Nix checks each NAR against the hash that it has of it, so that what
 * was damaged on this disk gets no further.
 * @param options.paths in the order in which they matter
 * @param options.budget bytes after which no more are begun; the last ones may go beyond it
 * @param options.folder where the files go; made if it is missing
 * @throws Error with a system's code (ENOSPC) when a file cannot be written.
 */
export async function writeNars(options: {
  readonly nix: Nix
  readonly paths: readonly PathInfo[]
  readonly folder: string
  readonly budget: number
}): Promise<WrittenNars> {
  const { nix, paths, folder, budget } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const nars = new Map<string, NarFile>()
  const problems: string[] = []
  let written = 0
  const take = (path: string, nar: NarFile) => {
    nars.set(path, nar)
    written += nar.fileSize
  }
  await pMap(
    batches(paths),
    async batch => {
      if (written >= budget) return
      try {
        await exportBatch(nix, batch, folder, take)
      } catch (error) {
        if (codeOf(error) !== undefined || !(error instanceof Error)) throw error
        problems.push(error.message)
      }
    },
    { concurrency: availableParallelism() },
  )
  return { nars, problems }
}

/** In order; a large path is alone. */
export function batches(paths: readonly PathInfo[]): PathInfo[][] {
  const result: PathInfo[][] = []
  let open: PathInfo[] = []
  let bytes = 0
  for (const path of paths) {
    if (path.narSize >= large) {
      result.push([path])
      continue
    }
    if (open.length === 0 || open.length >= batchPaths || bytes + path.narSize > batchBytes) {
      open = []
      bytes = 0
      result.push(open)
    }
    open.push(path)
    bytes += path.narSize
  }
  return result
}

async function exportBatch(
  nix: Nix,
  batch: readonly PathInfo[],
  folder: string,
  take: (path: string, nar: NarFile) => void,
): Promise<void> {
  const child = spawn(join(nix.bin, 'nix-store'), ['--export', '--stdin'], { env: nix.env })
  const exit = once(child, 'close')
  const stderr = text(child.stderr)
  // What it does not read it says when it ends.
  child.stdin.on('error', () => {})
  child.stdin.end(batch.map(({ path }) => `${path}\n`).join(''))
  let nar: NarWriter | undefined
  try {
    for await (const piece of readExport(child.stdout)) {
      if ('nar' in piece) {
        nar ??= narWriter(folder)
        await nar.write(piece.nar)
      } else if (nar !== undefined) {
        take(piece.path, await nar.finish())
        nar = undefined
      }
    }
  } catch (error) {
    await nar?.discard()
    child.kill()
    if (codeOf(error) !== undefined) throw error
    const [said] = (await stderr).trim().split('\n').slice(-1)
    throw new Error(said || (error as Error).message)
  } finally {
    await exit
  }
}

type NarWriter = {
  write(part: Uint8Array): Promise<void>
  finish(): Promise<NarFile>
  discard(): Promise<void>
}

function narWriter(folder: string): NarWriter {
  const partial = join(folder, `${randomUUID()}.partial`)
  const hash = createHash('sha256')
  let fileSize = 0
  // One thread each: given several (ZSTD_c_nbWorkers) the library may leave input for later, which Node.js takes for the
  // end of the stream.
  // One thread each: given several (ZSTD_c_nbWorkers) the library may leave input for later, which Node.js takes for the
  // end of the stream.
  const compress = createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } })
  const written = pipeline(
    compress,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk)
        fileSize += chunk.length
        yield chunk
      }
    },
    createWriteStream(partial, { mode: 0o600 }),
  )
  // A failure is met by whoever writes or finishes next.
  written.catch(() => {})
  return {
    async write(part) {
      if (!compress.write(part)) await Promise.race([once(compress, 'drain'), written])
    },
    async finish() {
      compress.end()
      await written
      const fileHash = nixBase32(hash.digest())
      const file = join(folder, `${fileHash}.nar.zst`)
      await rename(partial, file)
      return { fileHash, fileSize, file }
    },
    async discard() {
      compress.destroy()
      await written.catch(() => {})
      await rm(partial, { force: true })
    },
  }
}
