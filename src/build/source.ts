import { readdir, readFile, stat } from 'node:fs/promises'
import { isAbsolute, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as z from 'zod'
import type { Place } from '../util/errors.ts'
import type { Position } from './events.ts'
import { type LockedInput, lockedInputs } from './locked.ts'

/** The tree that a flake was read from. */
export type FlakeSource = {
  /** Its copy in the store. */
  readonly path: string
  /** The locked reference, as Nix writes it; may hold what the user wrote of credentials, so it is not for logs. */
  readonly url: string
  /** Commit, when it was clean and is known. */
  readonly rev: string | undefined
  /** Whether it is a git tree with changes that are not committed. */
  readonly dirty: boolean
  /** `sha256-<base 64>` of the tree. */
  readonly narHash: string | undefined
  /** Root of the tree on this machine, for git working trees and `path:` flakes. */
  readonly directory: string | undefined
  /** Names of the flake's inputs. */
  readonly inputs: readonly string[]
  /** What these, and theirs, are locked to. */
  readonly locked: readonly LockedInput[]
}

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
export function parseMetadata(json: string): FlakeSource {
  const { path, url, locked, resolved, locks } = schema.parse(JSON.parse(json))
  const directory = resolved.type === 'path' ? resolved.path : localGit(resolved.url)
  const dirty = resolved.type === 'git' && locked.rev === undefined
  const inputs = Object.keys(locks?.nodes[locks.root]?.inputs ?? {})
  const { rev, narHash } = locked
  const lockedTo = lockedInputs(locks?.nodes ?? {})
  return Object.freeze({ path, url, rev, dirty, narHash, directory, inputs, locked: lockedTo })
}

/** The flake's lock file as it is in the store; undefined where there is none. */
export async function lockFile({
  path,
  url,
}: Pick<FlakeSource, 'path' | 'url'>): Promise<Buffer | undefined> {
  const settings = new URLSearchParams(url.split('?')[1])
  return await readFile(join(path, settings.get('dir') ?? '', 'flake.lock')).catch(() => undefined)
}

/** What a lock file says that inputs are locked to: nothing where it is none. */
export function lockedIn(text: string): readonly LockedInput[] {
  try {
    return lockedInputs(lockSchema.parse(JSON.parse(text)).nodes)
  } catch {
    return []
  }
}

function localGit(url: string | undefined): string | undefined {
  if (!url?.startsWith('file:')) return undefined
  const parsed = new URL(url)
  return fileURLToPath(`file://${parsed.pathname}`)
}

/** Where in the workspace a position of Nix's is; undefined for one in an input, in Nix itself, or elsewhere. */
export function placeOf(
  position: Position,
  source: FlakeSource | undefined,
  workspace: string,
): Place | undefined {
  const directory = source?.directory ?? workspace
  const shown = /^«(?:git\+)?file:\/\/([^?»]*)[^»]*»\/?(.*)$/.exec(position.file)
  const file = shown ? join(shown[1] ?? '', shown[2] ?? '') : position.file
  const below =
    source !== undefined && file.startsWith(`${source.path}/`)
      ? file.slice(source.path.length + 1)
      : undefined
  return place(below === undefined ? file : join(directory, below), position.line, workspace)
}

function place(file: string, line: number, workspace: string): Place | undefined {
  const path = relative(workspace, file)
  const inside = isAbsolute(file) && path !== '' && !path.startsWith('..')
  return inside ? { file: path, line } : undefined
}

/**
 * The source of a flake of which Nix could not even read the outputs: a tree in the store that one of the positions is
 * in, when the same file with the same content is below `directory`.
 */
export async function guessSource(
  positions: readonly Position[],
  directory: string,
): Promise<FlakeSource | undefined> {
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
export async function findLines(
  source: FlakeSource,
  workspace: string,
  matches: (line: string) => boolean,
): Promise<Place[]> {
  if (source.directory === undefined) return []
  const root = (await stat(source.path).catch(() => undefined))?.isDirectory()
    ? source.path
    : source.directory
  const places: Place[] = []
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

async function* filesBelow(directory: string): AsyncGenerator<string> {
  const entries = await readdir(directory, { withFileTypes: true })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name)
    if (entry.isFile()) yield path
    else if (entry.isDirectory() && !skipped.has(entry.name)) yield* filesBelow(path)
  }
}
