import type { TagEvent } from './event.ts'
import { globalTemplate, known } from './expressions.ts'
import { readEach } from './list.ts'

/** By name, sorted. */
export type Labels = Readonly<Record<string, string>>

export type Annotations = {
  /** Of an image's manifest. */
  readonly manifest: Labels
  /** Of the index of a multi-platform image. */
  readonly index: Labels
}

type Own = 'created' | 'description' | 'licenses' | 'revision' | 'source' | 'title' | 'url' | 'version'
type Facts = { readonly event: TagEvent; readonly version: string | undefined }

const namespace = 'org.opencontainers.image.'
/** What the action itself writes of how an image was made. */
const reserved = 'io.github.nix-image-action.'

/** What https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md has, as far as the event says it. */
const own: Readonly<Record<Own, (facts: Facts) => string | undefined>> = {
  created: ({ event }) => known(event.created).toISOString(),
  // The package page shows no more.
  description: ({ event }) => event.project.description?.slice(0, 512).toWellFormed(),
  licenses: ({ event: { project } }) =>
    project.license === 'NOASSERTION' ? undefined : project.license?.slice(0, 256),
  revision: ({ event }) => event.sha,
  source: ({ event }) => event.project.url,
  title: ({ event }) => event.project.name,
  url: ({ event }) => event.project.url,
  version: ({ version }) => version,
}

/** What is the same for every commit: with anything else an unchanged image would have a new digest. */
const always: readonly Own[] = ['source', 'url', 'title', 'description', 'licenses']

type Line = {
  readonly name: string
  /** Undefined where nobody knows it. */
  readonly value: string | undefined
}

const labelAdvice =
  'Each line is name=value; a name alone is enough for org.opencontainers.image.revision and the others that the action knows.'

/**
 * The labels that are asked for: nothing else is in it.
 * @param version the image's first tag
 * @throws UserError that names every line that is not understood
 */
export function labelsFor(lines: readonly string[], event: TagEvent, version: string | undefined): Labels {
  return sorted(readEach(lines, labelAdvice, String, line => readLine(line, { event, version })))
}

/**
 * The annotations: what is the same for every commit, and what is asked for. `manifest:` or `index:` before a name puts
 * it there only; an empty value takes it away.
 * @param version the image's first tag
 * @throws UserError that names every line that is not understood
 */
export function annotationsFor(
  lines: readonly string[],
  event: TagEvent,
  version: string | undefined,
): Annotations {
  const facts = { event, version }
  const advice = `${labelAdvice} manifest: or index: may be before it.`
  const asked = readEach(lines, advice, String, line => {
    const [, places, rest = line] = /^((?:manifest|index)(?:,(?:manifest|index))*):(.*)$/s.exec(line) ?? []
    const other = /^(?:manifest|index)[^=:]*:/.exec(rest)
    if (other !== null) throw new Error(`${other[0]} is neither manifest: nor index:`)
    return { places: places?.split(',') ?? ['manifest', 'index'], ...readLine(rest, facts) }
  })
  const given = always.map(name => ({ name: namespace + name, value: own[name](facts) }))
  const at = (place: string) =>
    sorted([...given, ...asked.filter(({ places }) => places.includes(place))].map(emptyIsNone))
  return Object.freeze({ manifest: at('manifest'), index: at('index') })
}

function readLine(line: string, facts: Facts): Line {
  const equals = line.indexOf('=')
  const name = equals === -1 ? line : line.slice(0, equals)
  if (name === '') throw new Error('has no name')
  if (/\s/.test(name)) throw new Error('has white space in its name')
  if (name.includes('{{')) throw new Error('has an expression in its name')
  if (name.startsWith(reserved)) throw new Error(`names that begin with ${reserved} are the action's own`)
  if (equals !== -1) return { name, value: globalTemplate(line.slice(equals + 1))(facts.event) }
  const key = name.slice(namespace.length)
  if (!name.startsWith(namespace) || !isOwn(key)) throw new Error('needs a value: name=value')
  return { name, value: own[key](facts) }
}

function isOwn(key: string): key is Own {
  return Object.hasOwn(own, key)
}

function emptyIsNone({ name, value }: Line): Line {
  return { name, value: value || undefined }
}

/** Of a name that comes twice the last value counts. */
function sorted(lines: readonly Line[]): Labels {
  const values = new Map(lines.map(({ name, value }) => [name, value]))
  const known = [...values].flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return Object.freeze(Object.fromEntries(known.toSorted(([a], [b]) => (a < b ? -1 : 1))))
}
