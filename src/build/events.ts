import { stripVTControlCharacters } from 'node:util'
import * as z from 'zod'

/**
 * What Nix says with `--log-format internal-json`: one event a line on stderr, `@nix ` and a JSON object.
 * The format has no version; what is not understood is left out. Checked against Nix 2.26 and 2.34.
 */
export type NixEvent =
  | {
      readonly kind: 'start'
      readonly id: string
      readonly parent: string
      readonly type: number
      readonly fields: readonly (string | number)[]
    }
  | { readonly kind: 'stop'; readonly id: string }
  | {
      readonly kind: 'result'
      readonly id: string
      readonly type: number
      readonly fields: readonly (string | number)[]
    }
  | NixMessage
  /** A line that is not Nix's JSON: from git, ssh or a library below Nix. */
  | { readonly kind: 'line'; readonly text: string }

export type NixMessage = {
  readonly kind: 'message'
  /** 0 error, 1 warning, 2 notice, 3 information, above that for debugging. */
  readonly level: number
  /** As Nix prints it, with its trace, without colours. */
  readonly text: string
  /** What went wrong, without trace and without `error:`. */
  readonly what: string
  /**
   * Whether this Nix has said it itself. What a builder prints as a message, and what a daemon passes on as text, look
   * the same but for this.
   */
  readonly own: boolean
  /** Where in Nix code, the innermost place first. */
  readonly positions: readonly Position[]
}

export type Position = {
  /** As Nix shows it: a path in the store, a path on this machine, or a flake's URL in «». */
  readonly file: string
  /** 1-based. */
  readonly line: number
}

/** Activity types (`ActivityType` in Nix's logging.hh) that this action looks at. */
export const activity = {
  copyPath: 100,
  fileTransfer: 101,
  copyPaths: 103,
  builds: 104,
  build: 105,
  substitute: 108,
} as const

/** Result types (`ResultType` in Nix's logging.hh) that this action looks at. */
export const result = { buildLogLine: 101, phase: 104, progress: 105, postBuildLogLine: 107 } as const

const fields = z.array(z.union([z.string(), z.number()])).default([])
const position = { file: z.string().nullish(), line: z.number().nullish() }
const schema = z.discriminatedUnion('action', [
  z.object({
    action: z.literal('start'),
    id: z.string(),
    parent: z.string().default('0'),
    type: z.number(),
    fields,
  }),
  z.object({ action: z.literal('stop'), id: z.string() }),
  z.object({ action: z.literal('result'), id: z.string(), type: z.number(), fields }),
  z.object({
    action: z.literal('msg'),
    level: z.number(),
    msg: z.string(),
    raw_msg: z.string().optional(),
    ...position,
    trace: z.array(z.object({ ...position, raw_msg: z.string() })).optional(),
  }),
])

/** Parses a line of Nix's stderr. Undefined for events of a kind or shape that is not known. Never throws. */
export function parseEvent(line: string): NixEvent | undefined {
  if (!line.startsWith('@nix ')) return { kind: 'line', text: stripVTControlCharacters(line) }
  // Ids are 64 bits wide, which a JavaScript number would round, so they become strings before JSON is parsed. A
  // quote inside of a JSON string has a backslash before it, so that no text can look like one of these keys.
  const parsed = schema.safeParse(parseJson(line.slice(5).replace(/([{,]"(?:id|parent)"):(\d+)/g, '$1:"$2"')))
  if (!parsed.success) return undefined
  const event = parsed.data
  switch (event.action) {
    case 'start':
      return { kind: 'start', id: event.id, parent: event.parent, type: event.type, fields: event.fields }
    case 'stop':
      return { kind: 'stop', id: event.id }
    case 'result':
      return { kind: 'result', id: event.id, type: event.type, fields: event.fields }
    case 'msg': {
      const text = stripVTControlCharacters(event.msg)
      return {
        kind: 'message',
        level: event.level,
        text,
        what: event.raw_msg === undefined ? withoutTrace(text) : stripVTControlCharacters(event.raw_msg),
        own: event.raw_msg !== undefined,
        positions: [event, ...(event.trace ?? [])].flatMap(({ file, line }) =>
          // The name of the file has line and column at its end again.
          file && line ? [{ file: file.replace(/:\d+:\d+$/, ''), line }] : [],
        ),
      }
    }
  }
}

/** A message that came through a daemon is one text: its trace, then `error:` and what went wrong. */
function withoutTrace(text: string): string {
  const last = text.lastIndexOf('error: ')
  return (last === -1 ? text : text.slice(last + 'error: '.length)).trim()
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
