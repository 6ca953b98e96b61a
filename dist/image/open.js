import { createReadStream } from 'node:fs'
import { access, constants, readdir, stat } from 'node:fs/promises'
import { UserError } from '../util/errors.js'

import { isTar } from '../util/tar.js'
import { openArchiveFile, spoolArchive } from './archive-file.js'
import { packingOf, unpack, unpackingError } from './compression.js'
import { readDockerArchive } from './docker-archive.js'

import { runStreamScript } from './stream-script.js'

/**
 * Opens what an image's derivation made, told by its content and not by its name. The caller closes the image.
 * @throws UserError when it is not an image, of a kind that is not supported, or damaged
 */
export async function openImage({ path, scratch, env, log }) {
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

async function readOrClose(file, kind) {
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

async function directoryError(path) {
  const names = (await readdir(path)).sort()
  if (names.includes('oci-layout')) return later(path, 'an OCI layout')
  const some = names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '')
  return unsupported(path, `a directory without oci-layout (it holds ${some || 'nothing'})`)
}

function describe(head) {
  if (head.length === 0) return 'an empty file'
  if (head.toString('latin1', 0, 4) === '\x7fELF') return 'a compiled program'
  const packing = packingOf(head)
  if (packing) return `compressed with ${packing}`
  return `a file that begins with the bytes ${head.toString('hex', 0, 8)}`
}

function later(path, what) {
  return new UserError(`${path} is ${what}: this kind of image is not supported yet.`, {
    advice: 'Give a docker archive (buildImage, buildLayeredImage) or a streamLayeredImage.',
  })
}

function unsupported(path, what, cause) {
  return new UserError(`${path} is not an image: it is ${what}.`, {
    advice:
      'Name an output of buildImage or buildLayeredImage (a tar, plain or compressed with gzip or zstd) or of streamLayeredImage (a script).',
    cause,
  })
}
