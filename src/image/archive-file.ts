import { createReadStream } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskFull, LimitError, UserError } from '../util/errors.ts'
import { type ByteSource, isTar } from '../util/tar.ts'
import { formatBytes } from '../util/text.ts'
import { packingOf, unpack, unpackingError } from './compression.ts'

/** An archive at rest: Nix's own file, or a temporary copy of what came compressed or from a script. */
export type ArchiveFile = ByteSource & {
  /** Open for reading until `close`, in every thread of this process. */
  readonly descriptor: number
  close(): Promise<void>
}

/** Bytes. Gzip can unpack to a thousand times its size, zstd to more, and a script can write for ever. */
export type SpoolLimits = {
  /** Of what is written. Far beyond any image; a smaller disk sets its own limit. */
  readonly most: number
  /** That stay free on the disk: a runner whose disk is full can no longer say what happened. */
  readonly reserve: number
}

const usualLimits: SpoolLimits = { most: 256 * 1024 ** 3, reserve: 128 * 1024 ** 2 }

/** Bytes that are written before the free space is looked at again. */
const stride = 16 * 1024 ** 2

/** @param path a readable file */
export async function openArchiveFile(path: string | Buffer): Promise<ArchiveFile> {
  return archiveFile(String(path), await open(path))
}

/**
 * Opens a tar: in place, or unpacked into a temporary file when it is compressed with gzip or zstd.
 * @param scratch an existing directory
 * @returns undefined when it is no tar
 * @throws UserError when it is damaged, or there is no room to unpack it
 */
export async function openTar(path: string, scratch: string): Promise<ArchiveFile | undefined> {
  const file = await openArchiveFile(path)
  const head = await file.read(0, Math.min(512, file.size))
  if (isTar(head)) return file
  await file.close()
  const packing = packingOf(head)
  if (packing !== 'gzip' && packing !== 'zstd') return undefined
  const produce = (sink: Sink) => sink(unpack(createReadStream(path), packing))
  const unpacked = await spoolArchive(produce, { name: path, scratch }).catch(error => {
    throw unpackingError(error, path)
  })
  if (isTar(await unpacked.read(0, Math.min(512, unpacked.size)))) return unpacked
  await unpacked.close()
  return undefined
}

/** Where an archive's bytes go. */
export type Sink = (chunks: AsyncIterable<Uint8Array>) => Promise<void>

/**
 * Writes what `produce` gives to one temporary file that loses its name at once: it takes up space until it
 * is closed, or until this process ends in whatever way, and nobody else can open it.
 * @param produce called once with where the bytes go; it consumes its argument's promise before it ends
 * @param options.name what errors call the archive
 * @param options.scratch an existing directory for the file
 * @throws UserError when the disk is full or the archive too large; else what `produce` throws. Nothing is left behind.
 */
export async function spoolArchive(
  produce: (sink: Sink) => Promise<void>,
  options: { readonly name: string; readonly scratch: string; readonly limits?: SpoolLimits },
): Promise<ArchiveFile> {
  const { name, scratch, limits = usualLimits } = options
  const directory = await mkdtemp(join(scratch, 'image-'))
  let handle: FileHandle
  try {
    handle = await open(join(directory, 'archive.tar'), 'wx+', 0o600)
  } finally {
    await rm(directory, { recursive: true })
  }
  const full = (cause?: unknown) =>
    new UserError(`The disk is full: ${scratch} has no room for the unpacked image ${name}.`, {
      advice: 'Free space there before this step, or build an uncompressed archive, which is read in place.',
      cause,
    })

  async function* bounded(chunks: AsyncIterable<Uint8Array>) {
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

async function archiveFile(name: string, handle: FileHandle): Promise<ArchiveFile> {
  const { size } = await handle.stat()
  async function read(position: number, length: number): Promise<Buffer> {
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
