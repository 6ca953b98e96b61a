import { globalTemplate, known } from './expressions.js'
import { readEach } from './list.js'

const namespace = 'org.opencontainers.image.'
/** What the action itself writes of how an image was made. */
const reserved = 'io.github.nix-image-action.'

/** What https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md has, as far as the event says it. */
const own = {
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
const always = ['source', 'url', 'title', 'description', 'licenses']

const labelAdvice =
  'Each line is name=value; a name alone is enough for org.opencontainers.image.revision and the others that the action knows.'

/**
 * The labels that are asked for: nothing else is in it.
 * @param version the image's first tag
 * @throws UserError that names every line that is not understood
 */
export function labelsFor(lines, event, version) {
  return sorted(readEach(lines, labelAdvice, String, line => readLine(line, { event, version })))
}

/**
 * The annotations: what is the same for every commit, and what is asked for. `manifest:` or `index:` before a name puts
 * it there only; an empty value takes it away.
 * @param version the image's first tag
 * @throws UserError that names every line that is not understood
 */
export function annotationsFor(lines, event, version) {
  const facts = { event, version }
  const advice = `${labelAdvice} manifest: or index: may be before it.`
  const asked = readEach(lines, advice, String, line => {
    const [, places, rest = line] = /^((?:manifest|index)(?:,(?:manifest|index))*):(.*)$/s.exec(line) ?? []
    const other = /^(?:manifest|index)[^=:]*:/.exec(rest)
    if (other !== null) throw new Error(`${other[0]} is neither manifest: nor index:`)
    return { places: places?.split(',') ?? ['manifest', 'index'], ...readLine(rest, facts) }
  })
  const given = always.map(name => ({ name: namespace + name, value: own[name](facts) }))
  const at = place =>
    sorted([...given, ...asked.filter(({ places }) => places.includes(place))].map(emptyIsNone))
  return Object.freeze({ manifest: at('manifest'), index: at('index') })
}

function readLine(line, facts) {
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

function isOwn(key) {
  return Object.hasOwn(own, key)
}

function emptyIsNone({ name, value }) {
  return { name, value: value || undefined }
}

/** Of a name that comes twice the last value counts. */
function sorted(lines) {
  const values = new Map(lines.map(({ name, value }) => [name, value]))
  const known = [...values].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  return Object.freeze(Object.fromEntries(known.toSorted(([a], [b]) => (a < b ? -1 : 1))))
}
