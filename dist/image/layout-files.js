import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../util/errors.js'

import { quoted } from './document.js'

import { realFile } from './real-file.js'

/** @param path a directory in the store; its files may be links to others in the store */
export function directoryFiles(path) {
  const fail = failure(path)
  return {
    fail,
    find: async name => {
      const { path: file, size: length } = await realFile(join(path, name), dirname(path), fail)
      return { file, offset: 0, length }
    },
    read: async ({ file }) => await readFile(String(file)),
    close: async () => {},
  }
}

/** Closes the archive when it is closed itself. */
export function archiveFiles(archive, members) {
  const fail = failure(archive.name)
  return {
    fail,
    find: async name => {
      const member = members(name)
      if (member === undefined) throw fail(`it has no ${quoted(name)}`)
      return { file: archive.descriptor, offset: member.offset, length: member.size }
    },
    read: async ({ offset, length }) => await archive.read(offset, length),
    close: () => archive.close(),
  }
}

function failure(name) {
  return what =>
    new UserError(`The OCI layout ${name} cannot be used: ${what}.`, {
      advice: 'It should hold one image for this platform: see it with `skopeo inspect oci:PATH`.',
    })
}
