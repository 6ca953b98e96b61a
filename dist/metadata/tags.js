import { globalTemplate } from './expressions.js'
import { plainFlavor } from './flavor.js'
import { fieldsOf, readEach } from './list.js'
import { types } from './rules.js'

const defaultList = ['type=schedule', 'type=ref,event=branch', 'type=ref,event=tag', 'type=ref,event=pr']

const common = ['enable', 'priority', 'prefix', 'suffix']

const advice =
  'Each line is as docker/metadata-action takes it: type=ref,event=branch, type=semver,pattern={{version}}, type=raw,value=…, or a plain tag.'

/**
 * The image's tags for an event. Follows docker/metadata-action; docs/tags.md has the differences.
 * @param lines entries of the list; none are its default
 * @throws UserError that names every line that is not understood, whether it is for this event or not
 */
export function tagsFor(lines, event, flavor = plainFlavor) {
  const warnings = new Set()
  const entries = readEach(lines.length === 0 ? defaultList : lines, advice, String, readEntry)
  const made = readEach(
    entries.toSorted((a, b) => b.priority - a.priority),
    advice,
    ({ text }) => text,
    entry => makeOne(entry, event, flavor, what => warnings.add(what)),
  ).filter(one => one !== undefined)
  const [first] = made
  const latest = flavor.latest === 'auto' ? first?.latest : flavor.latest === 'true'
  const tags = made.map(({ text }) => text)
  if (first !== undefined && latest)
    tags.push(...readEach(['latest'], advice, String, () => latestTag(flavor, event)))
  return Object.freeze({
    tags: Object.freeze([...new Set(tags)]),
    warnings: Object.freeze([...warnings]),
  })
}

function readEntry(text) {
  const { type: kind = 'raw', ...given } = attributesOf(fieldsOf(text))
  const type = Object.hasOwn(types, kind) ? types[kind] : undefined
  if (type === undefined)
    throw new Error(
      `'${kind}' is no type of docker/metadata-action: there are ${Object.keys(types).join(', ')}`,
    )
  const { enable = 'true', priority = String(type.priority), prefix, suffix, ...own } = given
  for (const name of Object.keys(own)) {
    if (!type.attributes.includes(name))
      throw new Error(
        `the type '${kind}' has no attribute '${name}': it has ${[...type.attributes, ...common].join(', ')}`,
      )
  }
  if (!/^-?\d+(\.\d+)?$/.test(priority)) throw new Error(`priority=${priority} is not a number`)
  if (!['true', 'false'].includes(enable) && !enable.includes('{{'))
    throw new Error(`enable=${enable} is neither true nor false`)
  const attributes = new Map(Object.entries(own))
  const affix = value => (value === undefined ? undefined : globalTemplate(value))
  return {
    ...{ text, priority: Number(priority), enable: globalTemplate(enable), rule: type.read(attributes) },
    prefix: affix(prefix ?? type.prefix?.(attributes)),
    suffix: affix(suffix),
  }
}

/** A field without a name is a value: `x,enable=true` is `type=raw,value=x,enable=true`. The last of a name counts. */
function attributesOf(fields) {
  if (fields.some(({ name, value }) => name === undefined && value.includes('}}') && !value.includes('{{')))
    throw new Error('has }} without {{: a field with a comma in it needs quotes')
  const nameless = fields.filter(({ name }) => name === undefined)
  if (nameless.length > 1 || nameless.some(({ value }) => /^[^{}]*:[^{}]*$/.test(value)))
    throw new Error(
      "has more than one tag in it: each is on a line of its own, without the image's name, which is the input `name`",
    )
  return Object.fromEntries(fields.map(({ name = 'value', value }) => [name, value]))
}

/** Undefined where the entry is not for this event, or nothing is left that could be a tag. */
function makeOne({ enable, prefix, suffix, rule }, event, flavor, warn) {
  const enabled = enable(event)
  if (enabled !== 'true' && enabled !== 'false')
    throw new Error(`enable=${enabled} is neither true nor false`)
  const made = enabled === 'true' ? rule(event, warn) : undefined
  if (made === undefined) return undefined
  const before = (prefix ?? flavor.prefix?.text)?.(event) ?? ''
  const after = (suffix ?? flavor.suffix?.text)?.(event) ?? ''
  const text = asTag(`${before}${made.text}${after}`)
  return text === '' ? undefined : { text, latest: made.latest }
}

function latestTag({ prefix, suffix }, event) {
  const before = prefix?.onLatest ? prefix.text(event) : ''
  const after = suffix?.onLatest ? suffix.text(event) : ''
  return asTag(`${before}latest${after}`)
}

/** A tag is at most 128 of `[A-Za-z0-9_.-]` and begins with none of `.-` (OCI distribution-spec). */
function asTag(text) {
  return text
    .replace(/[^\w.-]+/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 128)
}
