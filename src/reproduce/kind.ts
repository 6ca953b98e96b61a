/** The same part of two files, around the first byte that differs. */
export type Window = {
  /** Name of the file. */
  readonly name: string
  /** Where both begin in their files. */
  readonly start: number
  readonly first: Buffer
  readonly second: Buffer
  /** Where the first byte is that differs, in the files. */
  readonly offset: number
}

/**
 * What kind of thing the first bytes are that differ: told by the format that they are a part of, or by the text around
 * them. Pure.
 */
export function kindOf(window: Window): 'time' | 'path' | 'content' {
  const both = [window.first, window.second]
  if (both.every(bytes => isTimeField(bytes, window))) return 'time'
  const at = window.offset - window.start
  const covers = (pattern: RegExp) =>
    both.every(bytes =>
      bytes
        .toString('latin1')
        .matchAll(pattern)
        .some(({ index, 0: found }) => index <= at && at < index + found.length),
    )
  // A folder may be named after a time.
  if (covers(path)) return 'path'
  if (times.some(covers)) return 'time'
  return 'content'
}

/** Folders that a build gets for itself, and the store. */
const path =
  /\/(?:(?:build|tmp|var\/tmp|nix\/var\/nix\/builds)\/|nix\/store\/[0-9a-df-np-sv-z]{0,32}-?)[\w.+@%=~/-]*/g

const months = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*'

const times = [
  // 2026-11-21, 2026-11-21T19:10:02.5+01:00, 20261121T191002Z
  /(?<!\d)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:Z|[+-]\d\d:?\d\d))?)?/g,
  /(?<![0-9a-fA-F])(?:19|20)\d{6}T?\d{6}Z?(?![0-9a-fA-F])/g,
  /(?<!\d)\d{1,2}:\d\d:\d\d(?:\.\d+)?(?!\d)/g,
  // Sat Nov 21 19:10:02 UTC 2026, Sat, 21 Nov 2026 19:10:02 GMT, Nov 21 2026
  new RegExp(
    `(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?(?:\\d{1,2} +${months}|${months} +\\d{1,2}),?(?: +\\d{4})?(?: +\\d\\d:\\d\\d:\\d\\d)?(?: +[A-Z]{3,4})?(?: +\\d{4})?`,
    'g',
  ),
  // Seconds since 1970, also with milli-, micro- or nanoseconds.
  /(?<![0-9a-fA-F])[12]\d{9}(?:\d{3}|\d{6}|\d{9}|\.\d+)?(?![0-9a-fA-F])/g,
]

/** Whether the byte at `offset` is in a field of a binary format that holds a time. */
function isTimeField(bytes: Buffer, { name, start, offset }: Window): boolean {
  const at = offset - start
  const within = (begin: number, from: number, to: number) => begin + from <= at && at < begin + to
  if (start === 0) {
    // https://www.rfc-editor.org/rfc/rfc1952#section-2.3
    if (bytes.toString('hex', 0, 3) === '1f8b08') return within(0, 4, 8)
    // https://peps.python.org/pep-0552/: without flags a time follows.
    if (name.endsWith('.pyc') && bytes.length >= 8 && bytes.readUInt32LE(4) === 0) return within(0, 8, 12)
  }
  // Headers begin where the time would be so many bytes in: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
  for (const [magic, from] of zipHeaders) {
    const header = bytes.lastIndexOf(magic, at)
    if (header >= 0 && within(header, from, from + 4)) return true
  }
  // A header of ar is 60 bytes of text that end with a backtick and a newline; the time is at 16.
  for (let header = Math.max(0, at - 27); header <= at - 16; header++)
    if (bytes.toString('latin1', header + 58, header + 60) === '`\n') return true
  return false
}

const zipHeaders = [
  [Buffer.from('PK\x03\x04'), 10],
  [Buffer.from('PK\x01\x02'), 12],
] as const

/** Whether two texts are made of the same words, which are then in another order. Pure. */
export function areReordered(first: string, second: string): boolean {
  const [one, other] = [wordsOf(first), wordsOf(second)]
  if (one.length !== other.length) return false
  const counts = new Map<string, number>()
  for (const word of one) counts.set(word, (counts.get(word) ?? 0) + 1)
  for (const word of other) {
    const left = (counts.get(word) ?? 0) - 1
    if (left < 0) return false
    counts.set(word, left)
  }
  return one.some((word, at) => word !== other[at])
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,;:=(){}[\]<>"']+/).filter(Boolean)
}
