import * as z from './vendor/zod.js'

/**
 * What main hands to post, as JSON in the runner's state. Said again after each step that adds to it, so that post
 * knows what there is to save and to clean up wherever main ended. Holds no environment and no secret: the runner
 * keeps it in a file.
 */
const schema = z.object({
  /** The step's own folder. */
  folder: z.string(),
  /** When main began, in seconds since the epoch. */
  started: z.number(),
  nix: z
    .object({
      version: z.string(),
      bin: z.string(),
      system: z.string(),
      ours: z.boolean(),
      /** Store paths of Nix itself: never cached. */
      closure: z.array(z.string()),
    })
    .optional(),
  /** A release that main downloaded, to be kept for the next run: JSON for `parseKept`. */
  keep: z.string().optional(),
  cache: z
    .object({
      /** Key of the index that main opened. */
      key: z.string().optional(),
      /** The process that serves it. */
      server: z.object({ url: z.string(), pid: z.number() }).optional(),
    })
    .optional(),
  /** Store paths that the installables gave: their closures are in use. */
  outPaths: z.array(z.string()).default([]),
  /** Seconds that each derivation took to build. */
  costs: z.record(z.string(), z.number()).default({}),
  /** What the image's layers are: entries of a LayerMemo. */
  layers: z
    .record(z.string(), z.object({ digest: z.templateLiteral(['sha256:', z.string()]), size: z.number() }))
    .default({}),
})

const name = 'nix-image-action'

/** @returns undefined when main ended before it saved anything. */
export function readState(read) {
  const text = read(name)
  return text === '' ? undefined : schema.parse(JSON.parse(text))
}

export function writeState(write, state) {
  write(name, JSON.stringify(state))
}
