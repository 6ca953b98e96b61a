import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'
import { codeOf, UserError } from '../util/errors.js'

/** sha256 of a file's bytes as 64 hex digits. */
export async function sha256OfFile(file) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/**
 * Unpacks a `.tar.xz` with the machine's xz, or a `.tar.zst` with Node's own decoder, into an existing folder.
 * Both go through a pipe, since not every tar (BusyBox's) knows all of the flags that would do it in one.
 * @throws UserError when tar or xz is missing.
 * @throws Error with the program's words when the archive is damaged or the disk is full.
 */
export async function unpack(file, directory) {
  const tar = run('tar', ['-x', '-o', '-f', '-', '-C', directory], 'pipe')
  if (file.endsWith('.xz')) {
    const xz = run('xz', ['-d', '-c', file], 'ignore')
    await finish([xz, tar], pipeline(xz.stdout, into(tar.stdin)))
  } else {
    await finish([tar], pipeline(createReadStream(file), createZstdDecompress(), into(tar.stdin)))
  }
}

/**
 * Recompresses a `.tar.xz` as zstd, which unpacks several times faster. The tar inside stays the same, byte for
 * byte. `to` appears when it is whole.
 * @throws UserError when xz is missing.
 */
export async function recompress(from, to) {
  const xz = run('xz', ['-d', '-c', from], 'ignore')
  const compress = createZstdCompress({
    params: {
      [constants.ZSTD_c_compressionLevel]: 9,
      // Without it a damaged archive would only be found by what it unpacks to.
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  })
  const partial = `${to}.partial`
  try {
    await finish([xz], pipeline(xz.stdout, compress, createWriteStream(partial)))
    await rename(partial, to)
  } finally {
    await rm(partial, { force: true })
  }
}

function run(program, args, stdin) {
  const child = spawn(program, args, { stdio: [stdin, stdin === 'pipe' ? 'ignore' : 'pipe', 'pipe'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr = (stderr + text).slice(-4096)
  })
  const ended = new Promise((resolve, reject) => {
    child.on('error', error => reject(missing(program, error)))
    child.on('close', code => {
      if (code === 0) resolve()
      else reject(new Error(stderr.trim().split('\n')[0] || `${program} ended with exit code ${code}`))
    })
  })
  return { stdin: child.stdin, stdout: child.stdout, ended }
}

function missing(program, error) {
  if (error.code !== 'ENOENT') return error
  return new UserError(`'${program}' is needed to unpack Nix and is not on this machine`, {
    advice: `Install it before this step, for example the package '${program === 'xz' ? 'xz-utils' : program}'.`,
  })
}

/**
 * Writes to a program that may stop reading before the end, as tar does after its last block. That is no failure:
 * the exit code tells, and what comes before this in the pipeline still reads, and verifies, all of its input.
 */
function into(stdin) {
  stdin.on('error', () => {})
  return new Writable({
    write: (chunk, _encoding, done) => {
      if (stdin.writable) stdin.write(chunk, () => done())
      else done()
    },
    final: done => {
      stdin.end()
      done()
    },
    destroy: (error, done) => {
      if (error) stdin.destroy()
      done(error)
    },
  })
}

/**
 * Waits for all. What the decoder or the disk said comes first, since a program only notices its consequences;
 * a pipe that just broke says nothing.
 */
async function finish(programs, piped) {
  const results = await Promise.allSettled([piped, ...programs.map(program => program.ended)])
  const reasons = results.filter(result => result.status === 'rejected').map(result => result.reason)
  if (reasons.length > 0) throw reasons.find(reason => !isBrokenPipe(reason)) ?? reasons[0]
}

function isBrokenPipe(error) {
  return ['ERR_STREAM_PREMATURE_CLOSE', 'EPIPE'].includes(codeOf(error) ?? '')
}
