import { createReadStream } from 'node:fs'
import { access, constants, open, readdir, stat } from 'node:fs/promises'
import { UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import { isTar } from '../util/tar.ts'
import { type ArchiveFile, openArchiveFile, spoolArchive } from './archive-file.ts'
import { packingOf, unpack, unpackingError } from './compression.ts'
import { readDockerArchive } from './docker-archive.ts'
import type { Image } from './model.ts'
import { runStreamScript } from './stream-script.ts'

export type OpenImageOptions = {
  /** Out path of the image's derivation. */
  readonly path: string
  /** An existing directory that has room for the unpacked archive, if it is compressed or made by a script. */
  readonly scratch: string
  /** The whole environment of the image's script. */
  readonly env: Readonly<Record<string, string>>
  /** Gets, at debug level, what the image's script says. */
  readonly log: Log
}

/**
 * Opens what an image's derivation made, told by its content and not by its name. The caller closes the image.
 * @throws UserError when it is not an image, of a kind that is not supported, or damaged
 */
export async function openImage({ path, scratch, env, log }: OpenImageOptions): Promise<Image> {
  const stats = await stat(path).catch(error => {
    throw new UserError(`The image ${path} does not exist.`, { cause: error })
  })
  if (stats.isDirectory()) throw await directoryError(path)

  const file = await openArchiveFile(path)
  const head = await file.read(0, Math.min(512, file.size))
  const packing = packingOf(head)
  if (isTar(head)) return await readOrClose(file, 'docker-archive')

  await file.close()
  if (packing === 'gzip' || packing === 'zstd') {
    const unpacked = await spoolArchive(sink => sink(unpack(createReadStream(path), packing)), {
      name: path,
      scratch,
    }).catch(error => {
      throw unpackingError(error, path)
    })
    return await readOrClose(unpacked, 'docker-archive')
  }
  if (head.toString('latin1', 0, 2) === '#!') {
    await access(path, constants.X_OK).catch(error => {
      throw unsupported(path, 'a script that is not executable', error)
    })
    const written = await spoolArchive(sink => runStreamScript(path, sink, { env, log }), {
      name: path,
      scratch,
    })
    return await readOrClose(written, 'stream')
  }
  if (head.toString('latin1').trimStart().startsWith('{'))
    throw later(path, 'JSON, as nix2container makes it')
  throw unsupported(path, describe(head))
}

/** Whether what is at `path` holds the layers themselves, and does not only say what they are made from. */
export async function isArchive(path: string): Promise<boolean> {
  if ((await stat(path)).isDirectory()) return true
  await using file = await open(path)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
  return !/^(#!|\{)/.test(buffer.toString('latin1', 0, bytesRead))
}

async function readOrClose(file: ArchiveFile, kind: Image['kind']): Promise<Image> {
  try {
    if (!isTar(await file.read(0, Math.min(512, file.size))))
      throw unsupported(
        file.name,
        `${kind === 'stream' ? 'a script that writes' : 'compressed data, but'} no tar`,
      )
    return await readDockerArchive(file, kind)
  } catch (error) {
    await file.close()
    throw error
  }
}

async function directoryError(path: string): Promise<UserError> {
  const names = (await readdir(path)).sort()
  if (names.includes('oci-layout')) return later(path, 'an OCI layout')
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  return unsupported(path, `a directory without oci-layout (it holds ${some || 'nothing'})`)
}

function describe(head: Buffer): string {
  if (head.length === 0) return 'an empty file'
  if (head.toString('latin1', 0, 4) === '\x7fELF') return 'a compiled program'
  const packing = packingOf(head)
  if (packing) return `compressed with ${packing}`
  return `a file that begins with the bytes ${head.toString('hex', 0, 8)}`
}

function later(path: string, what: string): UserError {
  return new UserError(`${path} is ${what}: this kind of image is not supported yet.`, {
    advice: 'Give a docker archive (buildImage, buildLayeredImage) or a streamLayeredImage.',
  })
}

function unsupported(path: string, what: string, cause?: unknown): UserError {
  return new UserError(`${path} is not an image: it is ${what}.`, {
    advice:
      'Name an output of buildImage or buildLayeredImage (a tar, plain or compressed with gzip or zstd) or of streamLayeredImage (a script).',
    cause,
  })
}
