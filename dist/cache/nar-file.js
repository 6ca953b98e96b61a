import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { nixBase32 } from '../util/base32.js'

/** Bytes of a file for which a stream costs more than it saves: a third of the work for each of many small paths. */
export const readAtOnce = 1024 * 1024

/** Whether a file is the compressed NAR that it should be, by size and digest. A link is followed nowhere. */
export async function isNarFile({ file, fileHash, fileSize }) {
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
