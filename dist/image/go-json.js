/** As Go's `json.Marshal` writes it. https://pkg.go.dev/encoding/json#Marshal */
export function goJson(value) {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return goString(value)
  if ('members' in value)
    return `{${value.members.map(([key, each]) => `${goString(key)}:${goJson(each)}`).join(',')}}`
  return `[${value.map(goJson).join(',')}]`
}

/** Members in the order of the struct; of one that is marked `omitempty` give undefined where it is empty. */
export function goStruct(members) {
  return {
    members: Object.entries(members).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  }
}

/** Sorted by the bytes of the keys. */
export function goMap(map, value) {
  const sorted = Object.entries(map).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return { members: sorted.map(([key, each]) => [key, value(each)]) }
}

/** What `omitempty` leaves out is undefined. */
export function unlessEmpty(value) {
  if (value === null || value === undefined || value === '' || value === false) return undefined
  return typeof value === 'object' && Object.keys(value).length === 0 ? undefined : value
}

/** Fit for HTML and for JavaScript of old. */
function goString(text) {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

const time = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/

/** A time in RFC 3339 as Go's `time.Time` writes what it read; undefined when it is none. */
export function goTime(text) {
  const [, seconds, fraction = '', zone = ''] = time.exec(text) ?? []
  if (seconds === undefined) return undefined
  const nanos = fraction.slice(0, 9).replace(/0+$/, '')
  return `${seconds}${nanos && `.${nanos}`}${/^.00:00$/.test(zone) ? 'Z' : zone}`
}
