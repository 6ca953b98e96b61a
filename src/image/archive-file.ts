import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskFull, UserError } from '../util/errors.ts'
import type { ByteSource } from '../util/tar.ts'

/** An archive at rest: Nix's own file, or a temporary copy of what came compressed or from a script. */
export type ArchiveFile = ByteSource & {
  /** Open for reading until `close`, in every thread of this process. */
  readonly descriptor: number
  close(): Promise<void>
}

/** @param path a readable file */
export async function openArchiveFile(path: string): Promise<ArchiveFile> {
  return archiveFile(path, await open(path))
}

/**
 * Writes what `produce` gives to one temporary file that loses its name at once: it takes up space until it
 * is closed, or until this process ends in whatever way, and nobody else can open it.
 * @param produce called once with where the bytes go; it consumes its argument's promise before it ends
 * @param options.name what errors call the archive
 * @param options.scratch an existing directory for the file
 * @throws UserError when the disk is full; else what `produce` throws. Nothing is left behind then.
 */
export async function spoolArchive(
  produce: (sink: (chunks: AsyncIterable<Uint8Array>) => Promise<void>) => Promise<void>,
  { name, scratch }: { readonly name: string; readonly scratch: string },
): Promise<ArchiveFile> {
  const directory = await mkdtemp(join(scratch, 'image-'))
  let handle: FileHandle
  try {
    handle = await open(join(directory, 'archive.tar'), 'wx+', 0o600)
  } finally {
    await rm(directory, { recursive: true })
  }
  try {
    await produce(chunks => handle.writeFile(chunks))
    return await archiveFile(name, handle)
  } catch (error) {
    await handle.close()
    if (!isDiskFull(error)) throw error
    throw new UserError(`The disk is full: ${scratch} has no room for the unpacked image ${name}.`, {
      advice: 'Free space there before this step, or build an uncompressed archive, which is read in place.',
      cause: error,
    })
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
