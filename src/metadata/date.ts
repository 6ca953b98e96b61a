export type DateFormat = (date: Date) => string

/**
 * A date in a format of https://momentjs.com/docs/#/displaying/format/, in English.
 * @param zone name of a time zone, such as `Europe/Berlin`
 * @throws Error for what has no meaning here: better no tag than a wrong date
 */
export function dateFormat(format: string, zone = 'UTC'): DateFormat {
  const clock = clockIn(zone)
  const pieces = [...format.matchAll(pattern)].map(([piece]): ((now: Time) => string) => {
    if (/^\[.*\]$/s.test(piece)) return () => piece.slice(1, -1)
    if (/^\\./s.test(piece)) return () => piece.slice(1)
    const token = tokens.get(piece)
    if (token !== undefined) return token
    if (piece === 'z' || piece === 'zz') {
      if (/^(UTC|GMT)$/i.test(zone)) return () => zone.toUpperCase()
      throw new Error(`a date cannot have '${piece}' in a time zone other than UTC`)
    }
    if (unknown.test(piece))
      throw new Error(`a date cannot have '${piece}': write it as [${piece}] if it is meant as a text`)
    return () => piece
  })
  return date => {
    const time = clock(date)
    return pieces.map(piece => piece(time)).join('')
  }
}

/** A moment as the clocks of a time zone show it. */
type Time = {
  readonly date: Date
  /** With the fields of UTC. */
  readonly local: Date
  /** Minutes that it is ahead of UTC. */
  readonly offset: number
}

function clockIn(zone: string): (date: Date) => Time {
  let parts: Intl.DateTimeFormat
  try {
    parts = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: zone, hourCycle: 'h23' },
      ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    })
  } catch {
    throw new Error(`'${zone}' is not a time zone`)
  }
  return date => {
    const found = Object.fromEntries(
      parts.formatToParts(date).map(({ type, value }) => [type, Number(value)]),
    )
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found
    const local = new Date(Date.UTC(year, month - 1, day, hour, minute, second, date.getUTCMilliseconds()))
    return { date, local, offset: Math.round((local.getTime() - date.getTime()) / 60_000) }
  }
}

const nameOf = (of: Intl.DateTimeFormatOptions, { local }: Time) =>
  new Intl.DateTimeFormat('en-US', { ...of, timeZone: 'UTC' }).format(local)
const monthName = (time: Time) => nameOf({ month: 'long' }, time)
const weekdayName = (time: Time) => nameOf({ weekday: 'long' }, time)

const padded = (value: number, digits: number) => String(value).padStart(digits, '0')

function ordinal(value: number): string {
  const rule = new Intl.PluralRules('en-US', { type: 'ordinal' }).select(value)
  return `${value}${{ one: 'st', two: 'nd', few: 'rd', other: 'th', zero: 'th', many: 'th' }[rule]}`
}

const dayMs = 86_400_000
const weekday = ({ local }: Time) => local.getUTCDay()
const isoWeekday = (time: Time) => weekday(time) || 7
const year = ({ local }: Time) => local.getUTCFullYear()
const month = ({ local }: Time) => local.getUTCMonth()
const day = ({ local }: Time) => local.getUTCDate()
const quarter = (time: Time) => Math.floor(month(time) / 3) + 1
const yearDay = (time: Time) => Math.floor((time.local.getTime() - Date.UTC(year(time), 0, 1)) / dayMs) + 1
const hours = ({ local }: Time) => local.getUTCHours()
const minutes = ({ local }: Time) => local.getUTCMinutes()
const seconds = ({ local }: Time) => local.getUTCSeconds()
const meridiem = (time: Time) => (hours(time) < 12 ? 'AM' : 'PM')

/** Year and number of the week, of which one day decides what year it is in. */
function week({ local }: Time, firstDay: number, decisive: number): { year: number; number: number } {
  const behind = (local.getUTCDay() - firstDay + 7) % 7
  const deciding = new Date(local.getTime() + (((decisive - firstDay + 7) % 7) - behind) * dayMs)
  const days = Math.floor((deciding.getTime() - Date.UTC(deciding.getUTCFullYear(), 0, 1)) / dayMs)
  return { year: deciding.getUTCFullYear(), number: Math.floor(days / 7) + 1 }
}
/** From Sunday on; the week of January 1 is the first, so its Saturday decides. */
const localWeek = (time: Time) => week(time, 0, 6)
const isoWeek = (time: Time) => week(time, 1, 4)

function zoneOffset(separator: string): (time: Time) => string {
  return ({ offset }) => {
    const [ahead, rest] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60]
    return `${offset < 0 ? '-' : '+'}${padded(ahead, 2)}${separator}${padded(rest, 2)}`
  }
}

/** A number under one letter as it is, under more letters with that many digits, with an `o` as an ordinal. */
function numbers(
  letter: string,
  lengths: readonly number[],
  value: (time: Time) => number,
  withOrdinal = true,
) {
  const plain = lengths.map(
    length => [letter.repeat(length), (time: Time) => padded(value(time), length)] as const,
  )
  return withOrdinal ? [...plain, [`${letter}o`, (time: Time) => ordinal(value(time))] as const] : plain
}

const tokens: ReadonlyMap<string, (time: Time) => string> = new Map<string, (time: Time) => string>([
  ...numbers('M', [1, 2], time => month(time) + 1),
  ['MMM', time => monthName(time).slice(0, 3)],
  ['MMMM', monthName],
  ...numbers('Q', [1], quarter),
  ...numbers('D', [1, 2], day),
  ['DDD', time => String(yearDay(time))],
  ['DDDo', time => ordinal(yearDay(time))],
  ['DDDD', time => padded(yearDay(time), 3)],
  ...numbers('d', [1], weekday),
  ['dd', time => weekdayName(time).slice(0, 2)],
  ['ddd', time => weekdayName(time).slice(0, 3)],
  ['dddd', weekdayName],
  ...numbers('e', [1], weekday, false),
  ...numbers('E', [1], isoWeekday, false),
  ...numbers('w', [1, 2], time => localWeek(time).number),
  ...numbers('W', [1, 2], time => isoWeek(time).number),
  ['YY', time => padded(year(time) % 100, 2)],
  ['YYYY', time => padded(year(time), 4)],
  ...numbers('Y', [1], year, false),
  ...numbers('y', [1, 2, 3, 4], year),
  ['gg', time => padded(localWeek(time).year % 100, 2)],
  ['gggg', time => padded(localWeek(time).year, 4)],
  ['GG', time => padded(isoWeek(time).year % 100, 2)],
  ['GGGG', time => padded(isoWeek(time).year, 4)],
  ['A', meridiem],
  ['a', time => meridiem(time).toLowerCase()],
  ...numbers('H', [1, 2], hours, false),
  ...numbers('h', [1, 2], time => hours(time) % 12 || 12, false),
  ...numbers('k', [1, 2], time => hours(time) || 24, false),
  ...numbers('m', [1, 2], minutes, false),
  ...numbers('s', [1, 2], seconds, false),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(
    digits =>
      [
        'S'.repeat(digits),
        ({ date }: Time) => padded(date.getUTCMilliseconds(), 3).padEnd(9, '0').slice(0, digits),
      ] as const,
  ),
  ['Z', zoneOffset(':')],
  ['ZZ', zoneOffset('')],
  ['X', ({ date }) => String(Math.floor(date.getTime() / 1000))],
  ['x', ({ date }) => String(date.getTime())],
])

/** Text in brackets, a backslash and what it makes plain, the longest token, or a character. */
const pattern =
  /\[[^[]*\]|\\?(?:Mo|MM?M?M?|Do|DDDo|DD?D?D?|ddd?d?|do?|w[ow]?|W[oW]?|Qo?|N{1,5}|Y{1,6}|y{2,4}|yo?|g{1,5}|G{1,5}|e|E|a|A|hh?|HH?|kk?|mm?|ss?|S{1,9}|x|X|zz?|ZZ?|LTS|LT|L{1,4}|l{1,4}|.)/gs

/** Letters that mean something to others, in a number that means nothing here. */
const unknown = /^[NYyGgLl]/
