import { randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'

/** The processes of ours that main and post start, beside this file in src/ and in dist/ alike. */
export const programs = {
  client: join(import.meta.dirname, `cache-client${extname(import.meta.filename)}`),
  substituter: join(import.meta.dirname, `substituter${extname(import.meta.filename)}`),
  narWorker: join(import.meta.dirname, `nar-worker${extname(import.meta.filename)}`),
  deflateThread: join(import.meta.dirname, `deflate-thread${extname(import.meta.filename)}`),
  layerWorker: join(import.meta.dirname, `layer-worker${extname(import.meta.filename)}`),
}

/** The name by which the runner itself hands the step's folder from main to post; all else is in a file of it. */
export const folderState = 'folder'

/**
 * A folder beside the step's own, for what later steps of the job are to find: the runner empties RUNNER_TEMP when the
 * job is over.
 */
export function sbomFolder({ folder }) {
  return join(dirname(folder), basename(folder).replace(prefix, 'sbom-'))
}

const prefix = 'nix-image-action-'
const excluded = '.excluded'

export function placesIn(folder) {
  return { folder, scratch: join(folder, 'scratch'), confFile: join(folder, 'nix.conf') }
}

/** Directly in RUNNER_TEMP: a folder for all would belong to whichever user came first. */
export async function makePlaces({ temp }) {
  const places = placesIn(join(temp, `${prefix}${randomBytes(4).toString('hex')}`))
  await mkdir(places.folder, { mode: 0o700 })
  await mkdir(places.scratch)
  return places
}

/**
 * The files of settings that earlier steps of this job wrote.
 * @param confFiles value of NIX_USER_CONF_FILES
 */
export function earlierConfFiles({ confFile }, confFiles) {
  return confFiles.split(':').filter(file => {
    const folder = dirname(file)
    return file === placesIn(folder).confFile && basename(folder).startsWith(prefix) && file !== confFile
  })
}

/**
 * Says which store paths of this step are never cached. In a file beside the step's folder, since any step's post sees
 * the paths of all steps.
 */
export async function exclude({ folder }, paths) {
  await writeFile(`${folder}${excluded}`, paths.map(path => `${path}\n`).join(''))
}

/** What all steps of this job have excluded. */
export async function excludedInJob({ folder }) {
  const temp = dirname(folder)
  const files = (await ours(temp)).filter(name => name.endsWith(excluded))
  const texts = await Promise.all(files.map(name => readFile(join(temp, name), 'utf8')))
  return texts.flatMap(text => text.split('\n').filter(Boolean))
}

/** Removes the step's folder; the last step of a job also takes away what all of them have excluded. */
export async function removePlaces({ folder }) {
  await rm(folder, { recursive: true, force: true })
  const temp = dirname(folder)
  const left = await ours(temp)
  if (left.every(name => name.endsWith(excluded)))
    await Promise.all(left.map(name => rm(join(temp, name), { force: true })))
}

async function ours(temp) {
  return (await readdir(temp)).filter(name => name.startsWith(prefix))
}
