import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort } from 'node:worker_threads'
import { constants, zstdCompressSync } from 'node:zlib'
import { nixBase32 } from '../util/base32.js'
import { codeOf, messageOf } from '../util/errors.js'
import { narOf } from './nar.js'
import { narFile } from './narinfo.js'

/** As `nix copy` compresses by default. */
const level = 3

/** The thread: for each work that it is sent it sends the results. */
export function serveNars() {
  parentPort?.on('message', work => {
    parentPort?.postMessage(work.paths.map(path => compress(path, work.folder)))
  })
}

function compress({ path, narSize, narHash }, folder) {
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

function digest(bytes) {
  return nixBase32(createHash('sha256').update(bytes).digest())
}
