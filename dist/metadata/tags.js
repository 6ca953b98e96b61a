import { UserError } from '../util/errors.js'

const defaultList = ['type=schedule', 'type=ref,event=branch', 'type=ref,event=tag', 'type=ref,event=pr']

const refs = { branch: /^refs\/heads\/(.+)$/, tag: /^refs\/tags\/(.+)$/, pr: /^refs\/pull\/(\d+)\// }

const rules = {
  schedule: {
    priority: 1000,
    tag: (attributes, event) =>
      event.eventName === 'schedule' ? (attributes.get('pattern') ?? 'nightly') : undefined,
  },
  ref: {
    priority: 600,
    tag(attributes, event) {
      const kind = attributes.get('event')
      if (kind !== 'branch' && kind !== 'tag' && kind !== 'pr')
        throw new Error('needs event=branch, tag or pr')
      return refs[kind].exec(event.ref)?.[1]
    },
  },
  raw: {
    priority: 200,
    tag(attributes) {
      const value = attributes.get('value')
      if (value === undefined) throw new Error('needs a value')
      return value
    },
  },
  sha: {
    priority: 100,
    tag(attributes, event) {
      const format = attributes.get('format') ?? 'short'
      if (format !== 'short' && format !== 'long')
        throw new Error(`format=${format} is neither short nor long`)
      return format === 'long' ? event.sha : event.sha.slice(0, 7)
    },
  },
}

const laterTypes = ['semver', 'pep440', 'match', 'edge']
const commonAttributes = ['enable', 'priority', 'prefix', 'suffix']
const ownAttributes = {
  schedule: ['pattern'],
  ref: ['event'],
  raw: ['value'],
  sha: ['format'],
}

/**
 * The image's tags for an event, the most important first, without repeats. Follows docker/metadata-action
 * for the types `schedule`, `ref`, `raw` and `sha` without handlebars expressions; an empty list is its default.
 * @throws UserError that names every line that is not understood.
 */
export function tagsFor(lines, event) {
  const problems = []
  const found = []
  for (const line of lines.length === 0 ? defaultList : lines) {
    const fields = fieldsOf(line)
    if (fields.findLast(([name]) => name === 'enable')?.[1] === 'false') continue
    try {
      if (/(^|,)\s*(,|=|$)/.test(line)) throw new Error('has an empty field')
      if (line.includes('{{')) throw new Error('handlebars expressions are not in this version yet')
      const { type, attributes } = rulesOf(fields)
      const rule = rules[type]
      if (rule === undefined) {
        const what = laterTypes.includes(type)
          ? 'not in this version yet'
          : 'no type of docker/metadata-action'
        throw new Error(`'${type}' is ${what}`)
      }
      for (const name of attributes.keys()) {
        if (!commonAttributes.includes(name) && !ownAttributes[type]?.includes(name))
          throw new Error(`the type '${type}' has no attribute '${name}'`)
      }
      const enable = attributes.get('enable') ?? 'true'
      if (enable !== 'true') throw new Error(`enable=${enable} is neither true nor false`)
      const priority = attributes.get('priority') ?? String(rule.priority)
      if (!/^\d+$/.test(priority)) throw new Error(`priority=${priority} is not a number`)
      const bare = rule.tag(attributes, event)
      if (bare === undefined) continue
      const prefix = attributes.get('prefix') ?? defaultPrefix(type, attributes)
      found.push({
        tag: sanitise(`${prefix}${bare}${attributes.get('suffix') ?? ''}`),
        priority: Number(priority),
        ofTag: type === 'ref' && attributes.get('event') === 'tag',
      })
    } catch (error) {
      problems.push(`  - ${line}: ${error.message}`)
    }
  }
  if (problems.length > 0) {
    throw new UserError(`Not usable:\n${problems.join('\n')}\n`, {
      advice:
        'Each line is as docker/metadata-action takes it: type=ref,event=branch, type=sha, type=raw,value=…, or a plain tag.',
    })
  }
  const ordered = found.filter(({ tag }) => tag !== '').toSorted((a, b) => b.priority - a.priority)
  const tags = ordered.map(({ tag }) => tag)
  return [...new Set(ordered[0]?.ofTag ? [...tags, 'latest'] : tags)]
}

/** A field without a name is a value: `x,enable=true` is `type=raw,value=x,enable=true`. */
function fieldsOf(line) {
  return line.split(',').map(field => {
    const [name = '', ...rest] = field.split('=')
    return rest.length === 0 ? ['value', name.trim()] : [name.trim().toLowerCase(), rest.join('=').trim()]
  })
}

function rulesOf(fields) {
  const { type = 'raw', ...attributes } = Object.fromEntries(fields)
  return { type, attributes: new Map(Object.entries(attributes)) }
}

function defaultPrefix(type, attributes) {
  if (type === 'sha') return 'sha-'
  return type === 'ref' && attributes.get('event') === 'pr' ? 'pr-' : ''
}

/** A tag is at most 128 of `[A-Za-z0-9_.-]` and begins with none of `.-` (OCI distribution-spec). */
function sanitise(tag) {
  return tag
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 128)
}
