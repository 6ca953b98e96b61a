import { read } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { openArchiveFile } from '../image/archive-file.ts'
import type { FilePart, Image, Layer } from '../image/model.ts'
import { isArchive, type OpenImageOptions, openImage } from '../image/open.ts'
import { isDiskFull, UserError } from '../util/errors.ts'
import type { ByteSource } from '../util/tar.ts'
import { any } from './any.ts'
import { slice } from './bytes.ts'
import { compareFiles, type FileOptions } from './file.ts'
import type { Difference } from './model.ts'
import { compareTrees } from './tree.ts'

export type OutputOptions = Omit<OpenImageOptions, 'path'> & {
  /** What differences call the output where it is a file. */
  readonly name: string
}

/**
 * What differs between two builds of an output. Of an image's archive it is said where in the image: what an archive
 * calls its layers may be the hash of what is in them.
 * @throws UserError when something cannot be read, or the disk is full
 */
export async function* compareOutputs(
  first: string,
  second: string,
  { name, ...options }: OutputOptions,
): AsyncGenerator<Difference> {
  const { scratch, signal } = options
  if (!(yield* compareArchives(first, second, options)))
    yield* compareTrees(first, second, { where: name, scratch, signal })
}

/** @returns whether they are archives of images that differ */
async function* compareArchives(
  first: string,
  second: string,
  options: Omit<OpenImageOptions, 'path'>,
): AsyncGenerator<Difference, boolean> {
  const one = await openArchive({ ...options, path: first })
  if (one === undefined) return false
  try {
    const other = await openArchive({ ...options, path: second })
    if (other === undefined) return false
    try {
      return yield* any(compareImages(one, other, options))
    } finally {
      await other.close()
    }
  } finally {
    await one.close()
  }
}

/** @returns undefined for what is no archive of an image, or cannot be read as one */
async function openArchive(options: OpenImageOptions): Promise<Image | undefined> {
  const { path } = options
  // What is a script would be run to have the image.
  if ((await lstat(path)).isSymbolicLink() || !(await isArchive(path))) return undefined
  try {
    return await openImage(options)
  } catch (error) {
    if (!(error instanceof UserError) || isDiskFull(error)) throw error
    return undefined
  }
}

async function* compareImages(
  first: Image,
  second: Image,
  { scratch, signal }: Omit<FileOptions, 'where'>,
): AsyncGenerator<Difference> {
  const count = Math.max(first.layers.length, second.layers.length)
  for (let at = 0; at < count; at++) {
    const where = `layer ${at + 1}`
    const [layer, other] = [first.layers[at], second.layers[at]]
    if (layer === undefined || other === undefined)
      yield { where, kind: other === undefined ? 'removed' : 'added' }
    else if (layer.key !== other.key) yield* compareLayers(layer, other, { where, scratch, signal })
  }
  // The config names layers by their hashes.
  const [config, other] = [first, second].map(withoutHashes)
  if (config && other) yield* compareFiles(config, other, { where: 'config', scratch, signal })
}

function withoutHashes({ config, layers }: Image): ByteSource {
  const text = config(layers.flatMap(({ diffId }) => diffId ?? [])).toString('latin1')
  const bytes = Buffer.from(
    text.replace(/[0-9a-f]{64}/g, hash => '0'.repeat(hash.length)),
    'latin1',
  )
  return {
    name: 'config',
    size: bytes.length,
    read: async (position, length) => bytes.subarray(position, position + length),
  }
}

async function* compareLayers(
  { source: first }: Layer,
  { source: second }: Layer,
  options: FileOptions,
): AsyncGenerator<Difference> {
  // Only what is no archive has layers of another kind.
  if (first.kind !== 'file' || second.kind !== 'file') return
  await using one = await partOf(first)
  await using other = await partOf(second)
  yield* compareFiles(one, other, options)
}

async function partOf({ file, offset, length }: FilePart): Promise<ByteSource & AsyncDisposable> {
  const source = typeof file === 'string' ? await openArchiveFile(file) : openDescriptor(file)
  return { ...slice(source, offset, length), [Symbol.asyncDispose]: source.close }
}

const readFrom = promisify(read)

/** A file that the image closes. */
function openDescriptor(file: number) {
  return {
    name: 'a layer',
    async read(position: number, length: number): Promise<Buffer> {
      const buffer = Buffer.alloc(length)
      for (let done = 0; done < length; ) {
        const { bytesRead } = await readFrom(file, buffer, done, length - done, position + done)
        if (bytesRead === 0) throw new Error('a layer became shorter while it was read')
        done += bytesRead
      }
      return buffer
    },
    size: Number.MAX_SAFE_INTEGER,
    close: async () => {},
  }
}
