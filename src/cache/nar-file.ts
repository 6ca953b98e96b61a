import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { nixBase32 } from '../util/base32.ts'

/** A compressed NAR as a file. */
export type NarFile = {
  /** SHA-256 of the file, 52 characters of Nix's base 32. */
  readonly fileHash: string
  /** Bytes. */
  readonly fileSize: number
  /** Absolute. */
  readonly file: string
}

/** Bytes of a file for which a stream costs more than it saves: a third of the work for each of many small paths. */
export const readAtOnce = 1024 * 1024

/** Whether a file is the compressed NAR that it should be, by size and digest. A link is followed nowhere. */
export async function isNarFile({ file, fileHash, fileSize }: NarFile): Promise<boolean> {
  try {
    const found = await lstat(file)
    if (!found.isFile() || found.size !== fileSize) return false
    const hash = createHash('sha256')
    if (fileSize <= readAtOnce) hash.update(await readFile(file))
    else await pipeline(createReadStream(file), hash)
    return nixBase32(hash.digest()) === fileHash
  } catch {
    return false
  }
}
