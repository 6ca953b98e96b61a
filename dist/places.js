import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'

/** The processes of ours that main and post start, beside this file in src/ and in dist/ alike. */
export const programs = {
  client: join(import.meta.dirname, `cache-client${extname(import.meta.filename)}`),
  substituter: join(import.meta.dirname, `substituter${extname(import.meta.filename)}`),
}

export function placesIn(folder) {
  return { folder, scratch: join(folder, 'scratch'), confFile: join(folder, 'nix.conf') }
}

export async function makePlaces({ temp }) {
  const all = join(temp, 'nix-image-action')
  await mkdir(all, { recursive: true, mode: 0o700 })
  const places = placesIn(join(all, randomBytes(4).toString('hex')))
  await mkdir(places.folder, { mode: 0o700 })
  await mkdir(places.scratch)
  return places
}

const excluded = '.excluded'

/**
 * Says which store paths of this step are never cached. In a file beside the step's folder, since any step's post sees
 * the paths of all steps.
 */
export async function exclude({ folder }, paths) {
  await writeFile(`${folder}${excluded}`, paths.map(path => `${path}\n`).join(''))
}

/** What all steps of this job have excluded. */
export async function excludedInJob({ folder }) {
  const all = dirname(folder)
  const files = (await readdir(all)).filter(name => name.endsWith(excluded))
  const texts = await Promise.all(files.map(name => readFile(join(all, name), 'utf8')))
  return texts.flatMap(text => text.split('\n').filter(Boolean))
}
