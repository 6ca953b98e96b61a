import { access, constants, readdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import * as z from '../vendor/zod.js'
import { UserError } from '../util/errors.js'

import { isTar } from '../util/tar.js'
import { formatBytes } from '../util/text.js'
import { openArchiveFile, openTar, spoolArchive } from './archive-file.js'
import { membersOf } from './archive-members.js'
import { packingOf } from './compression.js'
import { dockerArchiveImage, readDockerArchive } from './docker-archive.js'
import { longestDocument, parseDocument } from './document.js'
import { archiveFiles, directoryFiles } from './layout-files.js'

import { isNix2Container, readNix2Container } from './nix2container.js'
import { readOciLayout } from './oci-layout.js'
import { realFile } from './real-file.js'

import { isStreamConf, readStreamConf } from './stream-conf.js'
import { runStreamScript } from './stream-script.js'
import { confOfWrapper } from './stream-wrapper.js'

/**
 * Opens what an image's derivation made, told by its content and not by its name. The caller closes the image.
 * @throws UserError when it is not an image, of a kind that is not supported, or damaged
 */
export async function openImage(options) {
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
export async function isArchive(path) {
  return (await stat(path)).isDirectory() || !/^(#!|\s*\{)/.test((await headOf(path)).toString('latin1'))
}

async function headOf(path) {
  // A build can make its output a link to any file of this machine, or to a pipe that nobody writes to.
  await realFile(path, dirname(path), what => new UserError(`The image cannot be used: ${what}.`))
  const file = await openArchiveFile(path)
  try {
    return await file.read(0, Math.min(512, file.size))
  } finally {
    await file.close()
  }
}

async function closedOnFailure(file, read) {
  try {
    return await read()
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openScript(options) {
  const { path, scratch, env, log, signal } = options
  const conf = await confOfWrapper(path)
  if (conf !== undefined) return await openDocument({ ...options, path: conf })
  await access(path, constants.X_OK).catch(error => {
    throw unsupported(path, 'a script that is not executable', error)
  })
  const produce = sink => runStreamScript(path, sink, { env, log, signal })
  const written = await spoolArchive(produce, { name: path, scratch })
  return await closedOnFailure(written, async () => {
    if (!isTar(await written.read(0, Math.min(512, written.size))))
      throw unsupported(path, 'a script that writes no tar')
    return dockerArchiveImage(await readDockerArchive(written, await membersOf(written)), 'stream')
  })
}

async function openDocument(options) {
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

async function openDirectory({ path, platform }) {
  const names = (await readdir(path)).sort()
  if (names.includes('oci-layout')) return await readOciLayout(directoryFiles(path), platform)
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  throw unsupported(path, `a directory without oci-layout (it holds ${some || 'nothing'})`)
}

function describe(head) {
  if (head.length === 0) return 'an empty file'
  if (head.toString('latin1', 0, 4) === '\x7fELF') return 'a compiled program'
  const packing = packingOf(head)
  if (packing === 'gzip' || packing === 'zstd') return 'compressed data, but no tar'
  if (packing) return `compressed with ${packing}`
  return `a file that begins with the bytes ${head.toString('hex', 0, 8)}`
}

function unsupported(path, what, cause) {
  return new UserError(`${path} is not an image: it is ${what}.`, {
    advice:
      'Name an output of buildImage, buildLayeredImage or streamLayeredImage of nixpkgs, of buildImage of nix2container, or an OCI layout. Archives may be plain, gzip or zstd.',
    cause,
  })
}
