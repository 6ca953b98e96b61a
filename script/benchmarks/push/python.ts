import { execFile } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { partsDebs, readStamp } from '../../parts/paths.ts'

/**
 * Unpacks Debian's Python, which need not be installed here.
 * @param folder is made
 * @returns what it is run by: argv, and what has to be in its environment
 * @throws Error when the parts were not brought in
 */
export async function unpackPython(folder: string): Promise<Python> {
  await mkdir(folder)
  for (const deb of readStamp()?.debs.python3 ?? [])
    await promisify(execFile)('dpkg-deb', ['--extract', join(partsDebs, deb), folder])
  const find = (pattern: string) => globSync(pattern, { cwd: folder }).map(path => join(folder, path))
  const [loader] = find('{lib,usr/lib}/*-linux-gnu*/ld-linux*.so.*')
  const [program] = find('usr/bin/python3.*[0-9]')
  if (loader === undefined || program === undefined) throw new Error(`there is no Python in ${folder}`)
  const libraries = find('{lib,usr/lib}/*-linux-gnu*').join(':')
  return {
    argv: [loader, '--library-path', libraries, program, '-S', '-B'],
    env: { PYTHONHOME: join(folder, 'usr') },
  }
}

export type Python = { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> }
