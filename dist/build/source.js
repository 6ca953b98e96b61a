import { readdir, readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from '../vendor/zod.js'

import { lockedInputs } from './locked.js'

const lockSchema = z.object({
  root: z.string(),
  nodes: z.record(
    z.string(),
    z.object({
      inputs: z.record(z.string(), z.unknown()).optional(),
      locked: z.record(z.string(), z.unknown()).optional(),
    }),
  ),
})

const schema = z.object({
  path: z.string(),
  url: z.string(),
  locked: z.object({ rev: z.string().optional(), narHash: z.string().optional() }),
  resolved: z.object({ type: z.string(), url: z.string().optional(), path: z.string().optional() }),
  // Absent where no lock file can be had.
  locks: lockSchema.optional(),
})

/** Reads what `nix flake metadata --json` prints. */
export function parseMetadata(json) {
  const { path, url, locked, resolved, locks } = schema.parse(JSON.parse(json))
  const directory = resolved.type === 'path' ? resolved.path : localGit(resolved.url)
  const dirty = resolved.type === 'git' && locked.rev === undefined
  const inputs = Object.keys(locks?.nodes[locks.root]?.inputs ?? {})
  const { rev, narHash } = locked
  const lockedTo = lockedInputs(locks?.nodes ?? {})
  return Object.freeze({ path, url, rev, dirty, narHash, directory, inputs, locked: lockedTo })
}

/** The flake's lock file as it is in the store; undefined where there is none. */
export async function lockFile({ path, url }) {
  const settings = new URLSearchParams(url.split('?')[1])
  return await readFile(join(path, settings.get('dir') ?? '', 'flake.lock')).catch(() => undefined)
}

/** What a lock file says that inputs are locked to: nothing where it is none. */
export function lockedIn(text) {
  try {
    return lockedInputs(lockSchema.parse(JSON.parse(text)).nodes)
  } catch {
    return []
  }
}

function localGit(url) {
  if (!url?.startsWith('file:')) return undefined
  const parsed = new URL(url)
  return fileURLToPath(`file://${parsed.pathname}`)
}

/** Where in the workspace a position of Nix's is; undefined for one in an input, in Nix itself, or elsewhere. */
export function placeOf(position, source, workspace) {
  const directory = source?.directory ?? workspace
  const shown = /^«(?:git\+)?file:\/\/([^?»]*)[^»]*»\/?(.*)$/.exec(position.file)
  const file = shown ? join(shown[1] ?? '', shown[2] ?? '') : position.file
  const below =
    source !== undefined && file.startsWith(`${source.path}/`)
      ? file.slice(source.path.length + 1)
      : undefined
  return place(below === undefined ? file : join(directory, below), position.line, workspace)
}

function place(file, line, workspace) {
  const path = relative(workspace, file)
  const inside = isAbsolute(file) && path !== '' && !path.startsWith('..')
  return inside ? { file: path, line } : undefined
}

/**
 * The source of a flake of which Nix could not even read the outputs: a tree in the store that one of the positions is
 * in, when the same file with the same content is below `directory`.
 */
export async function guessSource(positions, directory) {
  for (const { file } of positions) {
    const [, path, below] = /^(\/nix\/store\/[0-9a-z]{32}-source)\/(.+)$/.exec(file) ?? []
    if (path === undefined || below === undefined) continue
    const [there, here] = await Promise.all(
      [file, join(directory, below)].map(name => readFile(name, 'utf8').catch(() => undefined)),
    )
    if (here !== undefined && here === there) {
      const unknown = { rev: undefined, narHash: undefined, inputs: [], locked: [] }
      return { path, directory, url: directory, dirty: true, ...unknown }
    }
  }
  return undefined
}

const biggestFile = 1024 * 1024
const mostPlaces = 10
/** Folders that are no part of a flake or hold what others wrote, where the store's copy cannot be had. */
const skipped = new Set(['.git', 'node_modules', '.direnv'])

/**
 * Looks for lines in the text files that Nix saw as the flake's source: of a git tree those that are tracked.
 * @returns the first ten places
 */
export async function findLines(source, workspace, matches) {
  if (source.directory === undefined) return []
  const root = (await stat(source.path).catch(() => undefined))?.isDirectory()
    ? source.path
    : source.directory
  const places = []
  for await (const file of filesBelow(root)) {
    const { size } = await stat(file)
    if (size > biggestFile) continue
    const text = await readFile(file, 'utf8')
    if (text.includes('\0')) continue
    for (const [index, line] of text.split('\n').entries()) {
      const found = matches(line)
        ? place(join(source.directory, relative(root, file)), index + 1, workspace)
        : undefined
      if (found !== undefined) places.push(found)
      if (places.length === mostPlaces) return places
    }
  }
  return places
}

async function* filesBelow(directory) {
  const entries = await readdir(directory, { withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name)
    if (entry.isFile()) yield path
    else if (entry.isDirectory() && !skipped.has(entry.name)) yield* filesBelow(path)
  }
}
