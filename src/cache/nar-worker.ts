import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { constants, zstdCompressSync } from 'node:zlib'
import { nixBase32 } from '../util/base32.ts'
import { codeOf, messageOf } from '../util/errors.ts'
import { narOf } from './nar.ts'
import { narFile } from './narinfo.ts'

/** Store paths whose NARs shall be compressed into files. */
export type NarWork = {
  /** A binary cache's: the files go into its folder `nar`. */
  readonly folder: string
  readonly paths: readonly {
    readonly path: string
    /** Bytes. */
    readonly narSize: number
    /** SHA-256, 52 characters of Nix's base 32. */
    readonly narHash: string
  }[]
}

export type NarResult =
  | { readonly path: string; readonly fileHash: string; readonly fileSize: number }
  | { readonly path: string; readonly problem: string; readonly code: string | undefined }

/** As `nix copy` compresses by default. */
const level = 3

/** The thread: for each work that it is sent it sends the results. */
export function serveNars(): void {
  parentPort?.on('message', (work: NarWork) => {
    parentPort?.postMessage(work.paths.map(path => compress(path, work.folder)))
  })
}

function compress({ path, narSize, narHash }: NarWork['paths'][number], folder: string): NarResult {
  try {
    const nar = narOf(path, narSize)
    // Here Nix would not look: what is damaged on the disk would be found when it is restored.
    if (digest(nar) !== narHash) throw new Error(`${path} is not what Nix registered`)
    const options = { params: { [constants.ZSTD_c_compressionLevel]: level }, pledgedSrcSize: narSize }
    const file = zstdCompressSync(nar, options)
    const fileHash = digest(file)
    writeFileSync(join(folder, narFile(fileHash)), file, { mode: 0o600 })
    return { path, fileHash, fileSize: file.length }
  } catch (error) {
    return { path, problem: messageOf(error), code: codeOf(error) }
  }
}

function digest(bytes: Buffer): string {
  return nixBase32(createHash('sha256').update(bytes).digest())
}
