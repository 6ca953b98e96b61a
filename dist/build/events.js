import { stripVTControlCharacters } from 'node:util'
import * as z from '../vendor/zod.js'

/** Activity types (`ActivityType` in Nix's logging.hh) that this action looks at. */
export const activity = {
  copyPath: 100,
  fileTransfer: 101,
  copyPaths: 103,
  builds: 104,
  build: 105,
  substitute: 108,
}

/** Result types (`ResultType` in Nix's logging.hh) that this action looks at. */
export const result = { buildLogLine: 101, phase: 104, progress: 105, postBuildLogLine: 107 }

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
export function parseEvent(line) {
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
function withoutTrace(text) {
  const last = text.lastIndexOf('error: ')
  return (last === -1 ? text : text.slice(last + 'error: '.length)).trim()
}

function parseJson(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
