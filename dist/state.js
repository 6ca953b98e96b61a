import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from './vendor/zod.js'
import { codeOf } from './util/errors.js'

/**
 * What main hands to post. Written again after each step that adds to it, so that post knows what there is to save and
 * to clean up wherever main ended. A file, since the runner hands its own state over in one environment variable, which
 * holds 128 KiB at most. Holds no environment and no secret.
 */
const digest = z.templateLiteral(['sha256:', z.string()])

const schema = z.object({
  /** When main began, in seconds since the epoch. */
  started: z.number(),
  nix: z
    .object({
      version: z.string(),
      bin: z.string(),
      system: z.string(),
      ours: z.boolean(),
      /** Whether other jobs may use the store at the same time. */
      shared: z.boolean(),
      /** Store paths of Nix itself: never cached. */
      closure: z.array(z.string()),
    })
    .optional(),
  /** A release that main downloaded, to be kept for the next run: JSON for `parseKept`. */
  keep: z.string().optional(),
  cache: z
    .object({
      /** Keys of the indexes that main opened: of the job's own ref, and of the branch it comes from. */
      key: z.string().optional(),
      base: z.string().optional(),
      /** The process that serves it. */
      server: z.object({ url: z.string(), pid: z.number() }).optional(),
    })
    .optional(),
  /** An image that is being tested, as its engine calls it: there only as long as it is. */
  trial: z.object({ program: z.enum(['docker', 'podman']), image: z.string() }).optional(),
  /** Store paths that the installables gave: their closures are in use. */
  outPaths: z.array(z.string()).default([]),
  /** Seconds that each derivation took to build. */
  costs: z.record(z.string(), z.number()).default({}),
  /** What the image's layers are: entries of a LayerMemo. */
  layers: z
    .record(z.string(), z.object({ diffId: digest, digest, size: z.number(), repository: z.string() }))
    .default({}),
  /** What the image was published as, by keys of what it was made from. */
  images: z.record(z.string(), z.object({ digest })).default({}),
})

export const newState = { started: 0, outPaths: [], costs: {}, layers: {}, images: {} }

/** @returns undefined when main ended before it wrote anything. */
export function readState(folder) {
  try {
    return schema.parse(JSON.parse(readFileSync(fileIn(folder), 'utf8')))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export function writeState(folder, state) {
  const file = fileIn(folder)
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

function fileIn(folder) {
  return join(folder, 'state.json')
}
