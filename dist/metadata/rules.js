import parseSemver from '../vendor/semver-functions-parse.js.js'

import { branchOf, dateTemplate, gitTagOf, globalTemplate, shortSha } from './expressions.js'
import { parsePep440 } from './pep440.js'
import { isOnly, parseTemplate } from './template.js'

/** The types of docker/metadata-action. */
export const types = {
  schedule: {
    priority: 1000,
    attributes: ['pattern'],
    read(attributes) {
      const pattern = dateTemplate(attributes.get('pattern') ?? 'nightly')
      return event => (event.eventName === 'schedule' ? plain(pattern(event)) : undefined)
    },
  },
  semver: {
    priority: 900,
    attributes: ['pattern', 'value', 'match'],
    read: attributes => versionRule(attributes, 'no semantic version (https://semver.org)', readSemver),
  },
  pep440: {
    priority: 900,
    attributes: ['pattern', 'value', 'match'],
    read: attributes => versionRule(attributes, 'no version as PEP 440 has them', readPep440),
  },
  match: { priority: 800, attributes: ['pattern', 'group', 'value'], read: readMatch },
  edge: {
    priority: 700,
    attributes: ['branch'],
    read(attributes) {
      const named = attributes.get('branch')
      return (event, warn) => {
        const branch = branchOf(event)
        if (branch === undefined) return undefined
        const edge = named || event.project.defaultBranch
        if (edge === undefined)
          warn('The event does not say which branch is the default one: `type=edge` needs branch=…')
        return branch === edge ? plain('edge') : undefined
      }
    },
  },
  ref: {
    priority: 600,
    attributes: ['event'],
    prefix: attributes => (attributes.get('event') === 'pr' ? 'pr-' : undefined),
    read(attributes) {
      const kind = attributes.get('event')
      if (kind === 'branch') return event => plain(branchOf(event))
      if (kind === 'tag') return event => plain(gitTagOf(event), true)
      if (kind === 'pr') return ({ ref }) => plain(/^refs\/pull\/(.+?)(?:\/merge)?$/s.exec(ref)?.[1])
      throw new Error('needs event=branch, tag or pr')
    },
  },
  raw: {
    priority: 200,
    attributes: ['value'],
    read(attributes) {
      const value = globalTemplate(needed(attributes, 'value'))
      return event => plain(value(event))
    },
  },
  sha: {
    priority: 100,
    attributes: ['format'],
    prefix: () => 'sha-',
    read(attributes) {
      const format = attributes.get('format') ?? 'short'
      if (format !== 'short' && format !== 'long')
        throw new Error(`format=${format} is neither short nor long`)
      return event => plain(format === 'long' ? event.sha : shortSha(event))
    },
  },
}

function plain(text, latest = false) {
  return text === undefined ? undefined : { text, latest }
}

function needed(attributes, name) {
  const value = attributes.get(name)
  if (value === undefined) throw new Error(`needs a ${name}`)
  return value
}

/** What tags are made from: the attribute `value`, or else the git tag's name. */
function subjectOf(attributes) {
  const value = attributes.get('value')
  return value ? globalTemplate(value) : gitTagOf
}

const versionParts = ['raw', 'version', 'major', 'minor', 'patch']

function versionRule(attributes, unlike, read) {
  const subject = subjectOf(attributes)
  const written = needed(attributes, 'pattern')
  const pattern = parseTemplate(written, { texts: versionParts, dates: [] })
  const raw = isOnly(written, 'raw')
  const match = attributes.get('match')
  const part = match ? regExp(match) : undefined
  if (part !== undefined && groupsIn(part) === 0)
    throw new Error(`match=${match} needs a group in parentheses: the version`)
  return (event, warn) => {
    const whole = subject(event)
    if (whole === undefined) return undefined
    const found = part && whole.match(part)
    if (found === null) warn(`match=${match} does not match '${whole}', which is taken as it is.`)
    const text = (found ? (found[1] ?? '') : whole).replaceAll('/', '-')
    const version = read(text)
    if (version === undefined) {
      warn(`'${text}' is ${unlike}, so no tag is made of it.`)
      return undefined
    }
    const { parts, final } = version
    if (!final) return plain(raw ? parts.raw : parts.version)
    return plain(pattern({ text: name => parts[name], date: () => event.now }), true)
  }
}

function readSemver(text) {
  const found = parseSemver(text)
  if (found === null) return undefined
  const { raw, version, major, minor, patch, prerelease } = found
  const [x, y, z] = [major, minor, patch].map(String)
  return {
    parts: { raw, version, major: x ?? '', minor: y ?? '', patch: z ?? '' },
    final: prerelease.length === 0,
  }
}

function readPep440(text) {
  const found = parsePep440(text)
  if (found === undefined) return undefined
  const { normal, major, minor, patch, final } = found
  const parts = { raw: text, version: normal, major: `${major}`, minor: `${minor}`, patch: `${patch}` }
  return { parts, final }
}

function readMatch(attributes) {
  const subject = subjectOf(attributes)
  const written = needed(attributes, 'pattern')
  const [, source, flags] = /^\/(.+)\/(.*)$/s.exec(written) ?? []
  const pattern = regExp(source ?? written, flags)
  const group = attributes.get('group') ?? '0'
  if (!/^\d+$/.test(group)) throw new Error(`group=${group} is not a whole number`)
  if (!pattern.global && Number(group) > groupsIn(pattern))
    throw new Error(`group=${group}: the pattern has no such group`)
  return (event, warn) => {
    const text = subject(event)
    if (text === undefined) return undefined
    const found = text.match(pattern)
    if (found === null) warn(`pattern=${written} does not match '${text}', so no tag is made of it.`)
    else if (found[Number(group)] === undefined)
      warn(`pattern=${written} finds nothing for group ${group} in '${text}', so no tag is made of it.`)
    return plain(found?.[Number(group)], true)
  }
}

function regExp(source, flags = '') {
  try {
    return new RegExp(source, flags)
  } catch (error) {
    throw new Error(`is not a regular expression: ${error.message}`)
  }
}

function groupsIn({ source, flags }) {
  const found = new RegExp(`${source}|`, flags.replace(/[gy]/g, '')).exec('')
  return (found?.length ?? 1) - 1
}
