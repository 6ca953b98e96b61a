import { buckets, mostBucketBits, windowSize } from './memory'
import { addSequence } from './runs'
import { longestMatch, shortestMatch } from './symbols'

// Finding what occurred before. Each hash of four bytes has a bucket with the last four positions where it occurred, so
// that one load brings all candidates and one store adds a position and drops the oldest. A position is its lowest 16
// bits: one that is not there any more is a place in the window like any other, where the bytes either match or do not.
// Beside each position is a tag, more bits of the hash: nearly every candidate whose tag is alike is a match, and most
// buckets without one are told without a look at the window, which is what takes time.

/** Where the input begins with what was before the chunk. */
let start: usize = 0

// What the levels differ in. Faster ones look at less memory, and at fewer places.

/** What shifts a hash down to the number of its bucket. */
let bucketShift: u32 = 0
/** The highest bit of each candidate that is looked at. */
let candidates: u64 = 0
/** A match of this length is taken without a look whether there is a longer one at the next byte. */
let niceLength: u32 = 0
/** In a match every so manieth position is remembered. */
let stride: u32 = 0
/** Where there was no match for 2^this bytes every second position is looked at, after twice as many every third… */
let skipShift: u32 = 0
/** …but never fewer, so that what is repeated behind a long stretch of noise is found soon. */
const longestSkip: usize = 16

const twoCandidates: u64 = 0x80008000
const fourCandidates: u64 = 0x8000800080008000

/** Forgets everything. @param from where the input begins @param level 1 to 9 */
export function beginMatches(from: usize, level: u32): void {
  start = from
  if (level < 4) setLevel(13, twoCandidates, 0, 2, 5)
  else if (level < 7) setLevel(13, fourCandidates, 16, 2, 5)
  else setLevel(mostBucketBits, fourCandidates, longestMatch, 1, 12)
  memory.fill(buckets, 0, (<usize>1) << (36 - bucketShift))
}

function setLevel(bits: u32, looked: u64, nice: u32, every: u32, skip: u32): void {
  bucketShift = 32 - bits
  candidates = looked
  niceLength = nice
  stride = every
  skipShift = skip
}

function hashOf(at: usize): u32 {
  return load<u32>(at) * 0x9e3779b1
}
function bucketOf(hash: u32): usize {
  return buckets + ((<usize>(hash >>> bucketShift)) << 4)
}
function tagOf(hash: u32): u64 {
  return (hash >>> 2) & 0xffff
}

function remember(at: usize): void {
  const hash = hashOf(at)
  const bucket = bucketOf(hash)
  store<u64>(bucket, (load<u64>(bucket) << 16) | <u64>((at - start) & 0xffff))
  store<u64>(bucket, (load<u64>(bucket, 8) << 16) | tagOf(hash), 8)
}

/** Remembers all of what comes before the chunk. */
export function rememberWindow(to: usize): void {
  for (let at = start; at < to; at++) remember(at)
}

/** How many bytes at both places are the same, at most `most`. Reads up to seven bytes beyond. */
function sameBytes(one: usize, other: usize, most: u32): u32 {
  let same: u32 = 0
  while (same < most) {
    const difference = load<u64>(one + same) ^ load<u64>(other + same)
    if (difference !== 0) return min(most, same + (<u32>ctz(difference) >>> 3))
    same += 8
  }
  return most
}

/**
 * The longest match at a place, which is remembered.
 * @param better what it must be longer than
 * @returns its length in the highest 16 bits and its distance in the lowest, or 0
 */
function longestAt(at: usize, end: usize, better: u32): u32 {
  const hash = hashOf(at)
  const bucket = bucketOf(hash)
  const here = <u32>(at - start)
  const positions = load<u64>(bucket)
  const tags = load<u64>(bucket, 8)
  const tag = tagOf(hash)
  store<u64>(bucket, (positions << 16) | <u64>(here & 0xffff))
  store<u64>(bucket, (tags << 16) | tag, 8)
  // The highest bit of each 16 that are the tag.
  const unlike = tags ^ (tag * 0x0001000100010001)
  let like = (unlike - 0x0001000100010001) & ~unlike & candidates
  if (like === 0) return 0
  const reach = min(here, windowSize)
  const most = min<u32>(longestMatch, <u32>(end - at))
  let found: u32 = 0
  do {
    const distance = (here - <u32>(positions >> (ctz(like) - 15))) & 0xffff
    like &= like - 1
    if (distance - 1 >= reach) continue
    const candidate = at - distance
    if (load<u8>(candidate + better) !== load<u8>(at + better)) continue
    const length = sameBytes(at, candidate, most)
    if (length <= better) continue
    better = length
    found = (length << 16) | distance
    if (length === most) break
  } while (like !== 0)
  return found
}

/**
 * Reads the input from `from` as sequences, up to `to` or a match's length farther, never beyond `end`.
 * @returns how far it came
 */
export function findSequences(from: usize, to: usize, end: usize): usize {
  const last = end - shortestMatch
  let literals = from
  let at = from
  const until = min(to, last + 1)
  while (at < until) {
    let match = longestAt(at, end, shortestMatch - 1)
    if (match === 0) {
      at += min<usize>(1 + ((at - literals) >>> skipShift), longestSkip)
      continue
    }
    let length = match >>> 16
    // Perhaps there is a longer one a byte later.
    while (length < niceLength && at < last) {
      const next = longestAt(at + 1, end, length)
      if (next === 0) break
      at++
      match = next
      length = match >>> 16
    }
    const distance = match & 0xffff
    // What was skipped may belong to it.
    let begin = at
    while (begin > literals && begin - distance > start) {
      if (load<u8>(begin - 1) !== load<u8>(begin - 1 - distance)) break
      begin--
      length = min(length + 1, longestMatch)
    }
    addSequence(literals, begin, length, distance)
    literals = begin + length
    const lastRemembered = min(literals, last + 1)
    for (at++; at < lastRemembered; at += stride) remember(at)
    at = literals
  }
  if (literals >= to) return literals
  addSequence(literals, to, 0, 0)
  return to
}
