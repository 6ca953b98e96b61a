import { open, writeFile } from 'node:fs/promises'
import * as z from 'zod'
import { isDigest } from '../util/digest.ts'
import { messageOf } from '../util/errors.ts'
import { count } from '../util/text.ts'
import { believable } from './clock.ts'
import { wellFounded } from './closure.ts'
import { isPackKey } from './keys.ts'
import { type CachedPath, type CacheIndex, hashOf, type LayerUse, type Pack } from './model.ts'
import { storeDir } from './narinfo.ts'

/** Raised when a document of this version cannot be read as the one before. */
const version = 1

/** Larger documents are not read: 20,000 paths take up 10 MB. */
const maxBytes = 128 * 1024 * 1024

const base32 = '[0-9a-df-np-sv-z]'
const name = z.string().regex(new RegExp(`^${base32}{32}-[0-9A-Za-z+._?=-]{1,211}$`))
const sha256 = z.string().regex(new RegExp(`^${base32}{52}$`))
const packHash = z.string().regex(/^[0-9a-f]{64}$/)
const whole = z.number().int().min(0)

const pathSchema = z.object({
  name,
  narHash: sha256,
  narSize: whole,
  /**
   * The 32 characters of each, in one text: the rest of the name is at the path itself or in `elsewhere`. Lists of so
   * many short texts take twice as long to read.
   */
  references: z
    .string()
    .max(500_000)
    .regex(new RegExp(`^(${base32}{32}( (?!$)|$))*$`)),
  deriver: name.optional(),
  signatures: z
    .array(
      z
        .string()
        .regex(/^[^\s:]+:[A-Za-z0-9+/=]+$/)
        .max(500),
    )
    .max(50)
    .optional(),
  ca: z
    .string()
    .regex(/^[a-z0-9:]{1,200}$/)
    .optional(),
  fileHash: sha256,
  fileSize: whole,
  lastUse: whole,
  origin: z.enum(['built', 'source', 'upstream']),
  cost: z.number().min(0).optional(),
})

const documentSchema = z.object({
  version: z.literal(version),
  storeDir: z.literal(storeDir),
  elsewhere: z.array(name).max(500_000),
  packs: z
    .array(
      z.object({
        hash: packHash,
        key: z.string().max(512),
        size: whole,
        created: whole,
        paths: z.array(z.unknown()).max(500_000),
      }),
    )
    .max(20_000),
  recent: z.array(packHash).max(1000).default([]),
  layers: z
    .array(
      z.object({
        key: z.string().min(1).max(512),
        digest: z.custom<LayerUse['digest']>(value => typeof value === 'string' && isDigest(value)),
        size: whole,
        lastUse: whole,
      }),
    )
    .max(20_000),
  tooLarge: z
    .array(z.object({ hash: z.string().regex(new RegExp(`^${base32}{32}$`)), size: whole, lastUse: whole }))
    .max(20_000)
    .default([]),
  retired: z
    .array(z.object({ hash: packHash, time: whole }))
    .max(20_000)
    .default([]),
})

/** `index` is undefined when the document cannot be used at all; `problem` says why, or what was left out of it. */
export type ReadIndex = { readonly index: CacheIndex | undefined; readonly problem: string | undefined }

/**
 * Reads what `writeIndex` wrote. A file that is missing, too large or not an index is a problem, not an exception.
 * @param now milliseconds since the epoch: what was dated long after that is not believed
 */
export async function readIndex(file: string, now = Date.now): Promise<ReadIndex> {
  try {
    await using handle = await open(file)
    const { size } = await handle.stat()
    if (size > maxBytes) return unusable(`the index is too large (${size} bytes)`)
    const { index, problem } = parseIndex(await handle.readFile('utf8'))
    return { index: index && believable(index, Math.floor(now() / 1000)), problem }
  } catch (error) {
    return unusable(`the index cannot be read: ${messageOf(error)}`)
  }
}

/**
 * Reads an index that anybody may have written. A document of another form or version is not used; a path that is
 * not one, or that refers to something that is nowhere, is left out together with what refers to it.
 */
export function parseIndex(text: string): ReadIndex {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return unusable('the index is not JSON')
  }
  const parsed = documentSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return unusable(
      `the index is not one that this version reads (at ${issue?.path.join('.') || 'its root'})`,
    )
  }
  const packs = new Map<string, Pack>()
  const found = new Map<string, Draft>()
  let all = 0
  for (const { hash, key, size, created, paths } of parsed.data.packs) {
    all += paths.length
    if (packs.has(hash) || !isPackKey(key, hash)) continue
    packs.set(hash, { key, size, created })
    for (const candidate of paths) {
      const path = pathSchema.safeParse(candidate)
      const known = path.success ? hashOf(path.data.name) : ''
      if (path.success && !found.has(known)) found.set(known, draftOf(path.data, hash))
    }
  }
  const elsewhere = new Map(parsed.data.elsewhere.map(other => [hashOf(other), other]))
  const closed = wellFounded(
    new Map(found.entries().map(([hash, { references }]) => [hash, references])),
    reference => elsewhere.has(reference),
  )
  // Names are taken from the paths that have them: the same text for all that refer to one.
  const nameOf = (hash: string) => found.get(hash)?.name ?? elsewhere.get(hash) ?? ''
  const paths = new Map<string, CachedPath>()
  for (const [hash, path] of found) {
    if (!closed.has(hash)) continue
    path.references = path.references.map(nameOf)
    paths.set(hash, path)
  }
  const left = all - paths.size
  return {
    index: {
      packs,
      paths,
      elsewhere: new Set(elsewhere.values()),
      recent: new Set(parsed.data.recent.filter(hash => packs.has(hash))),
      layers: new Map(parsed.data.layers.map(({ key, ...layer }) => [key, layer])),
      tooLarge: new Map(parsed.data.tooLarge.map(({ hash, ...unfit }) => [hash, unfit])),
      retired: new Map(parsed.data.retired.map(({ hash, time }) => [hash, time])),
    },
    problem: left === 0 ? undefined : `${count(left, 'path')} of the index cannot be used`,
  }
}

type PathDocument = z.infer<typeof pathSchema>

/** A path whose references are still hashes. */
type Draft = CachedPath & { references: readonly string[] }

/** Changes what was read and copies nothing: with 20,000 paths half of the time would go into copies and their removal. */
function draftOf(document: PathDocument, pack: string): Draft {
  return Object.assign(document, { references: hashesIn(document.references), pack }) as Draft
}

function unusable(problem: string): ReadIndex {
  return { index: undefined, problem }
}

/** The same text for the same index, in whatever order it was put together. */
export function renderIndex(index: CacheIndex): string {
  const byPack = Map.groupBy(index.paths.values(), path => path.pack)
  const packs = sorted(index.packs).map(([hash, { key, size, created }]) => ({
    hash,
    key,
    size,
    created,
    paths: (byPack.get(hash) ?? []).toSorted((a, b) => compare(a.name, b.name)).map(pathDocument),
  }))
  const layers = sorted(index.layers).map(([key, { digest, size, lastUse }]) => ({
    key,
    digest,
    size,
    lastUse,
  }))
  const elsewhere = [...index.elsewhere].sort(compare)
  const tooLarge = sorted(index.tooLarge).map(([hash, { size, lastUse }]) => ({ hash, size, lastUse }))
  const retired = sorted(index.retired).map(([hash, time]) => ({ hash, time }))
  const recent = [...index.recent].sort(compare)
  return JSON.stringify({ version, storeDir, elsewhere, recent, packs, layers, tooLarge, retired })
}

/** Writes the index for this user's eyes only. */
export async function writeIndex(file: string, index: CacheIndex): Promise<void> {
  await writeFile(file, renderIndex(index), { mode: 0o600 })
}

function hashesIn(references: string): string[] {
  return references === '' ? [] : references.split(' ')
}

function pathDocument(path: CachedPath): PathDocument {
  return {
    name: path.name,
    narHash: path.narHash,
    narSize: path.narSize,
    references: path.references.map(hashOf).join(' '),
    deriver: path.deriver,
    signatures: path.signatures === undefined ? undefined : [...path.signatures],
    ca: path.ca,
    fileHash: path.fileHash,
    fileSize: path.fileSize,
    lastUse: path.lastUse,
    origin: path.origin,
    cost: path.cost,
  }
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => compare(a, b))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
