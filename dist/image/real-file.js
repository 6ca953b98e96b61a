import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'

import { quoted } from './document.js'

/**
 * Finds a file that an image names. Images are made by builds that may be hostile: no link may lead to what else is on
 * this machine.
 * @param path absolute
 * @param root absolute: the directory that the file must really be in
 * @param fail makes the error of what is wrong with it
 * @returns its path without links, and its size in bytes
 */
export async function realFile(path, root, fail) {
  const real = await realpath(path).catch(() => {
    throw fail(`${quoted(path)} does not exist`)
  })
  if (!real.startsWith((await realpath(root)) + sep)) throw fail(`${quoted(path)} is outside of ${root}`)
  const stats = await stat(real)
  if (!stats.isFile()) throw fail(`${quoted(path)} is not a file`)
  return { path: real, size: stats.size }
}
