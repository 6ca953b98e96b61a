import { readUpTo } from './bytes.js'

const mostHeaders = 1024
const longestNotes = 64 * 1024

/**
 * Where an ELF file has its build id: what the linker made of all the rest, so that it differs wherever anything does.
 * https://refspecs.linuxfoundation.org/elf/gabi4+/ch5.pheader.html
 * @returns none for what is no ELF file or has no build id
 */
export async function buildIdsOf(file) {
  const head = await readUpTo(file, { start: 0, end: 64 })
  if (head.length < 52 || head.toString('latin1', 0, 4) !== '\x7fELF') return []
  const wide = head[4] === 2
  if (wide && head.length < 64) return []
  const numbers = reader(head[5] === 2)
  const table = wide ? numbers.long(head, 32) : numbers.word(head, 28)
  const size = numbers.half(head, wide ? 54 : 42)
  const count = Math.min(mostHeaders, numbers.half(head, wide ? 56 : 44))
  const headers = await readUpTo(file, { start: table, end: table + size * count })
  const ranges = []
  for (let at = 0; size >= (wide ? 56 : 32) && at + size <= headers.length; at += size) {
    if (numbers.word(headers, at) !== noteSegment) continue
    const start = wide ? numbers.long(headers, at + 8) : numbers.word(headers, at + 4)
    const length = wide ? numbers.long(headers, at + 32) : numbers.word(headers, at + 16)
    const notes = await readUpTo(file, { start, end: start + Math.min(length, longestNotes) })
    ranges.push(...idsIn(notes, numbers).map(id => ({ start: start + id.start, end: start + id.end })))
  }
  return ranges.sort((a, b) => a.start - b.start)
}

const noteSegment = 4
/** Type of a note whose name is `GNU`. */
const buildId = 3

/** @param notes records of three words (length of the name, length of the value, type), name and value, each padded */
function idsIn(notes, { word }) {
  const ranges = []
  for (let at = 0; at + 12 <= notes.length; ) {
    const value = at + 12 + padded(word(notes, at))
    const end = value + word(notes, at + 4)
    const isId = word(notes, at + 8) === buildId && notes.toString('latin1', at + 12, value) === 'GNU\0'
    if (isId && end <= notes.length) ranges.push({ start: value, end })
    at = value + padded(end - value)
  }
  return ranges
}

const padded = length => Math.ceil(length / 4) * 4

function reader(bigEndian) {
  return {
    half: (bytes, at) => (bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at)),
    word: (bytes, at) => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)),
    long: (bytes, at) => Number(bigEndian ? bytes.readBigUInt64BE(at) : bytes.readBigUInt64LE(at)),
  }
}
