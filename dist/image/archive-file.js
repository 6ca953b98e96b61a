import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskFull, LimitError, UserError } from '../util/errors.js'
import { isTar } from '../util/tar.js'
import { formatBytes } from '../util/text.js'
import { packingOf, unpack, unpackingError } from './compression.js'

const usualLimits = { most: 256 * 1024 ** 3, reserve: 128 * 1024 ** 2 }

/** Bytes that are written before the free space is looked at again. */
const stride = 16 * 1024 ** 2

/** @param path a readable file */
export async function openArchiveFile(path) {
  return archiveFile(String(path), await open(path))
}

/**
 * Opens a tar: in place, or unpacked into a temporary file when it is compressed with gzip or zstd.
 * @param scratch an existing directory
 * @returns undefined when it is no tar
 * @throws UserError when it is damaged, or there is no room to unpack it
 */
export async function openTar(path, scratch) {
  const file = await openArchiveFile(path)
  const head = await file.read(0, Math.min(512, file.size))
  if (isTar(head)) return file
  await file.close()
  const packing = packingOf(head)
  if (packing !== 'gzip' && packing !== 'zstd') return undefined
  const produce = sink => sink(unpack(createReadStream(path), packing))
  const unpacked = await spoolArchive(produce, { name: path, scratch }).catch(error => {
    throw unpackingError(error, path)
  })
  if (isTar(await unpacked.read(0, Math.min(512, unpacked.size)))) return unpacked
  await unpacked.close()
  return undefined
}

/**
 * Writes what `produce` gives to one temporary file that loses its name at once: it takes up space until it
 * is closed, or until this process ends in whatever way, and nobody else can open it.
 * @param produce called once with where the bytes go; it consumes its argument's promise before it ends
 * @param options.name what errors call the archive
 * @param options.scratch an existing directory for the file
 * @throws UserError when the disk is full or the archive too large; else what `produce` throws. Nothing is left behind.
 */
export async function spoolArchive(produce, options) {
  const { name, scratch, limits = usualLimits } = options
  const directory = await mkdtemp(join(scratch, 'image-'))
  let handle
  try {
    handle = await open(join(directory, 'archive.tar'), 'wx+', 0o600)
  } finally {
    await rm(directory, { recursive: true })
  }
  const full = cause =>
    new UserError(`The disk is full: ${scratch} has no room for the unpacked image ${name}.`, {
      advice: 'Free space there before this step, or build an uncompressed archive, which is read in place.',
      cause,
    })

  async function* bounded(chunks) {
    let size = 0
    let next = stride
    for await (const chunk of chunks) {
      if (size >= next) {
        const { bavail, bsize } = await statfs(scratch)
        if (bavail * bsize < limits.reserve + stride) throw full()
        next = size + stride
      }
      size += chunk.length
      if (size > limits.most)
        throw new LimitError(`The image ${name} unpacks to more than ${formatBytes(limits.most)}.`, {
          advice: 'No registry takes an image of that size: see what its build writes.',
        })
      yield chunk
    }
  }

  try {
    await produce(chunks => handle.writeFile(bounded(chunks)))
    return await archiveFile(name, handle)
  } catch (error) {
    await handle.close()
    throw isDiskFull(error) && !(error instanceof UserError) ? full(error) : error
  }
}

async function archiveFile(name, handle) {
  const { size } = await handle.stat()
  async function read(position, length) {
    const buffer = Buffer.alloc(length)
    for (let done = 0; done < length; ) {
      const { bytesRead } = await handle.read(buffer, done, length - done, position + done)
      if (bytesRead === 0) throw new Error(`${name} became shorter while it was read`)
      done += bytesRead
    }
    return buffer
  }
  return { name, size, read, descriptor: handle.fd, close: () => handle.close() }
}
