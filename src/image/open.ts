import { access, constants, readdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as z from 'zod'
import { UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import { isTar } from '../util/tar.ts'
import { formatBytes } from '../util/text.ts'
import { type ArchiveFile, openArchiveFile, openTar, type Sink, spoolArchive } from './archive-file.ts'
import { membersOf } from './archive-members.ts'
import { packingOf } from './compression.ts'
import { dockerArchiveImage, readDockerArchive } from './docker-archive.ts'
import { longestDocument, parseDocument } from './document.ts'
import { archiveFiles, directoryFiles } from './layout-files.ts'
import type { Image, Platform } from './model.ts'
import { isNix2Container, readNix2Container } from './nix2container.ts'
import { readOciLayout } from './oci-layout.ts'
import { realFile } from './real-file.ts'
import type { PathInfo } from './store-paths.ts'
import { isStreamConf, readStreamConf } from './stream-conf.ts'
import { runStreamScript } from './stream-script.ts'
import { confOfWrapper } from './stream-wrapper.ts'

export type OpenImageOptions = {
  /** Out path of the image's derivation. Beside it is what else the image may be made from: the store. */
  readonly path: string
  /** An existing directory that has room for the unpacked archive, if it is compressed or made by a script. */
  readonly scratch: string
  /** The whole environment of the image's script. */
  readonly env: Readonly<Record<string, string>>
  /** What Nix knows of store paths. */
  readonly pathInfo: PathInfo
  /** Which image to take of an OCI layout that holds several. */
  readonly platform: Platform
  /** For an image that wants to have been created "now". */
  readonly now: Date
  /** Ends the image's script. */
  readonly signal?: AbortSignal
  /** Gets, at debug level, what the image's script says. */
  readonly log: Log
}

/**
 * Opens what an image's derivation made, told by its content and not by its name. The caller closes the image.
 * @throws UserError when it is not an image, of a kind that is not supported, or damaged
 */
export async function openImage(options: OpenImageOptions): Promise<Image> {
  const { path, scratch } = options
  const stats = await stat(path).catch(error => {
    throw new UserError(`The image ${path} does not exist.`, { cause: error })
  })
  if (stats.isDirectory()) return await openDirectory(options)
  const head = await headOf(path)
  if (!isTar(head)) {
    if (head.toString('latin1', 0, 2) === '#!') return await openScript(options)
    if (head.toString('latin1').trimStart().startsWith('{')) return await openDocument(options)
  }
  const tar = await openTar(path, scratch)
  if (tar === undefined) throw unsupported(path, describe(head))
  return await closedOnFailure(tar, async () => {
    const find = await membersOf(tar)
    if (find('manifest.json') !== undefined || find('oci-layout') === undefined)
      return dockerArchiveImage(await readDockerArchive(tar, find), 'docker-archive')
    return await readOciLayout(archiveFiles(tar, find), options.platform)
  })
}

/** Whether what is at `path` holds the layers themselves, and does not only say what they are made from. */
export async function isArchive(path: string): Promise<boolean> {
  return (await stat(path)).isDirectory() || !/^(#!|\s*\{)/.test((await headOf(path)).toString('latin1'))
}

async function headOf(path: string): Promise<Buffer> {
  // A build can make its output a link to any file of this machine, or to a pipe that nobody writes to.
  await realFile(path, dirname(path), what => new UserError(`The image cannot be used: ${what}.`))
  const file = await openArchiveFile(path)
  try {
    return await file.read(0, Math.min(512, file.size))
  } finally {
    await file.close()
  }
}

async function closedOnFailure(file: ArchiveFile, read: () => Promise<Image>): Promise<Image> {
  try {
    return await read()
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openScript(options: OpenImageOptions): Promise<Image> {
  const { path, scratch, env, log, signal } = options
  const conf = await confOfWrapper(path)
  if (conf !== undefined) return await openDocument({ ...options, path: conf })
  await access(path, constants.X_OK).catch(error => {
    throw unsupported(path, 'a script that is not executable', error)
  })
  const produce = (sink: Sink) => runStreamScript(path, sink, { env, log, signal })
  const written = await spoolArchive(produce, { name: path, scratch })
  return await closedOnFailure(written, async () => {
    if (!isTar(await written.read(0, Math.min(512, written.size))))
      throw unsupported(path, 'a script that writes no tar')
    return dockerArchiveImage(await readDockerArchive(written, await membersOf(written)), 'stream')
  })
}

async function openDocument(options: OpenImageOptions): Promise<Image> {
  const { path } = options
  const { size } = await stat(path).catch(error => {
    throw unsupported(path, 'gone', error)
  })
  if (size > longestDocument) throw unsupported(path, `JSON of ${formatBytes(size)}`)
  const bytes = await readFile(path)
  const document = parseDocument(bytes, z.looseObject({}), problem =>
    unsupported(path, `JSON, but ${problem}`),
  )
  if (isStreamConf(document)) return await readStreamConf(path, bytes, options)
  if (isNix2Container(document)) return await readNix2Container(path, bytes, options)
  throw unsupported(path, 'JSON of another kind')
}

async function openDirectory({ path, platform }: OpenImageOptions): Promise<Image> {
  const names = (await readdir(path)).sort()
  if (names.includes('oci-layout')) return await readOciLayout(directoryFiles(path), platform)
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  throw unsupported(path, `a directory without oci-layout (it holds ${some || 'nothing'})`)
}

function describe(head: Buffer): string {
  if (head.length === 0) return 'an empty file'
  if (head.toString('latin1', 0, 4) === '\x7fELF') return 'a compiled program'
  const packing = packingOf(head)
  if (packing === 'gzip' || packing === 'zstd') return 'compressed data, but no tar'
  if (packing) return `compressed with ${packing}`
  return `a file that begins with the bytes ${head.toString('hex', 0, 8)}`
}

function unsupported(path: string, what: string, cause?: unknown): UserError {
  return new UserError(`${path} is not an image: it is ${what}.`, {
    advice:
      'Name an output of buildImage, buildLayeredImage or streamLayeredImage of nixpkgs, of buildImage of nix2container, or an OCI layout. Archives may be plain, gzip or zstd.',
    cause,
  })
}
