import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UserError } from '../util/errors.ts'
import type { ArchiveFile } from './archive-file.ts'
import type { Members } from './archive-members.ts'
import { quoted } from './document.ts'
import type { FilePart } from './model.ts'
import { realFile } from './real-file.ts'

/** The files of an OCI layout, in a directory or in a tar, by their names in it: `index.json`, `blobs/sha256/…`. */
export type LayoutFiles = {
  /** @throws UserError when there is no such file */
  find(name: string): Promise<FilePart>
  read(part: FilePart): Promise<Buffer>
  /** Makes the error of what is wrong with the layout. */
  readonly fail: (what: string) => UserError
  close(): Promise<void>
}

/** @param path a directory in the store; its files may be links to others in the store */
export function directoryFiles(path: string): LayoutFiles {
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
export function archiveFiles(archive: ArchiveFile, members: Members): LayoutFiles {
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

function failure(name: string): (what: string) => UserError {
  return what =>
    new UserError(`The OCI layout ${name} cannot be used: ${what}.`, {
      advice: 'It should hold one image for this platform: see it with `skopeo inspect oci:PATH`.',
    })
}
