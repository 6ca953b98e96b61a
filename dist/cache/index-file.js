import { open } from 'node:fs/promises'
import * as z from '../vendor/zod.js'
import { isDigest } from '../util/digest.js'
import { messageOf } from '../util/errors.js'
import { count } from '../util/text.js'
import { believable } from './clock.js'
import { wellFounded } from './closure.js'
import { isPackKey } from './keys.js'
import { hashOf } from './model.js'
import { storeDir } from './narinfo.js'

/** Raised when a document of this version cannot be read as the one before. */
export const version = 1

/** What goes beyond one of these is not read, so `writeIndex` keeps to them. */
export const bounds = {
  /** 20,000 paths take up 10 MB. */
  bytes: 128 * 1024 * 1024,
  packs: 20_000,
  /** Of one path. */
  references: 15_000,
  elsewhere: 500_000,
  layers: 20_000,
  images: 20_000,
  recent: 1000,
  tooLarge: 20_000,
  retired: 20_000,
}

const base32 = '[0-9a-df-np-sv-z]'
const name = z.string().regex(new RegExp(`^${base32}{32}-[0-9A-Za-z+._?=-]{1,211}$`))
const sha256 = z.string().regex(new RegExp(`^${base32}{52}$`))
const packHash = z.string().regex(/^[0-9a-f]{64}$/)
const whole = z.number().int().min(0)

const digest = z.custom(value => typeof value === 'string' && isDigest(value))

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
    .max(33 * bounds.references)
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
  elsewhere: z.array(name).max(bounds.elsewhere),
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
    .max(bounds.packs),
  recent: z.array(packHash).max(bounds.recent).default([]),
  images: z
    .array(z.object({ key: z.string().min(1).max(512), digest, lastUse: whole }))
    .max(bounds.images)
    .default([]),
  layers: z
    .array(
      z.object({
        key: z.string().min(1).max(512),
        diffId: digest,
        digest,
        size: whole,
        repository: z.string().max(255),
        lastUse: whole,
      }),
    )
    .max(bounds.layers),
  tooLarge: z
    .array(z.object({ hash: z.string().regex(new RegExp(`^${base32}{32}$`)), size: whole, lastUse: whole }))
    .max(bounds.tooLarge)
    .default([]),
  retired: z
    .array(z.object({ hash: packHash, time: whole }))
    .max(bounds.retired)
    .default([]),
})

/**
 * Reads what `writeIndex` wrote. A file that is missing, too large or not an index is a problem, not an exception.
 * @param now milliseconds since the epoch: what was dated long after that is not believed
 */
export async function readIndex(file, now = Date.now) {
  try {
    await using handle = await open(file)
    const { size } = await handle.stat()
    if (size > bounds.bytes) return unusable(`the index is too large (${size} bytes)`)
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
export function parseIndex(text) {
  let json
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
  const packs = new Map()
  const found = new Map()
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
  const nameOf = hash => found.get(hash)?.name ?? elsewhere.get(hash) ?? ''
  const paths = new Map()
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
      images: new Map(parsed.data.images.map(({ key, ...image }) => [key, image])),
      layers: new Map(parsed.data.layers.map(({ key, ...layer }) => [key, layer])),
      tooLarge: new Map(parsed.data.tooLarge.map(({ hash, ...unfit }) => [hash, unfit])),
      retired: new Map(parsed.data.retired.map(({ hash, time }) => [hash, time])),
    },
    problem: left === 0 ? undefined : `${count(left, 'path')} of the index cannot be used`,
  }
}

/** Changes what was read and copies nothing: with 20,000 paths half of the time would go into copies and their removal. */
function draftOf(document, pack) {
  return Object.assign(document, { references: hashesIn(document.references), pack })
}

function unusable(problem) {
  return { index: undefined, problem }
}

function hashesIn(references) {
  return references === '' ? [] : references.split(' ')
}
