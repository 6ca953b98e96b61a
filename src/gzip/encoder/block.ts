import { bitsAt, bitsHeld, bitsHeldCount, endByte, putBits, setBits } from './bits'
import { makeCodes, makeLengths } from './huffman'
import { sequences } from './memory'
import { distancesAt } from './runs'
import {
  distanceClass,
  distanceExtra,
  distanceSymbols,
  endOfBlock,
  lengthBase,
  lengthClass,
  lengthExtra,
  literalSymbols,
  longestMatch,
} from './symbols'

/** Four literals, and what is left of a byte, fit into 64 bits. */
const longestLiteral: u32 = 14
const longestDistance: u32 = 15

const lengths = memory.data(316)
const literalCodes = memory.data(286 * 4)
const distanceCodes = memory.data(30 * 4)
/** For each length of a match its code and extra bits. */
const matchCodes = memory.data((258 + 1) * 4)

const headerSymbols: u32 = 19
const headerOrder = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])
const headerFrequencies = memory.data(19 * 4)
const headerLengths = memory.data(19)
const headerCodes = memory.data(19 * 4)
/** What the header says, u16 each: a symbol in the lowest eight bits, then its extra bits. */
const header = memory.data(316 * 2)

/**
 * Writes a block, in the way that takes the least room.
 * @param frequencies of the symbols in it
 * @param from its bytes in the input
 * @param end of its sequences
 */
export function writeBlock(frequencies: usize, from: usize, to: usize, end: usize, final: boolean): void {
  makeLengths(frequencies, literalSymbols, longestLiteral, lengths)
  let literals: u32 = literalSymbols
  while (literals > 257 && load<u8>(lengths + literals - 1) === 0) literals--
  makeLengths(frequencies + distancesAt, distanceSymbols, longestDistance, lengths + literals)
  let distances: u32 = distanceSymbols
  while (distances > 1 && load<u8>(lengths + literals + distances - 1) === 0) distances--

  const entries = makeHeader(literals + distances)
  makeLengths(headerFrequencies, headerSymbols, 7, headerLengths)
  let shown: u32 = headerSymbols
  while (shown > 4 && load<u8>(headerLengths + load<u8>(headerOrder + shown - 1)) === 0) shown--

  const bits: u32 = 17 + 3 * shown + headerBits() + contentBits(frequencies, literals, distances)
  const size = <u32>(to - from)
  if (bits >= (size + 5 * (size / 0xffff + 1)) * 8) {
    writeStored(from, to, final)
    return
  }
  putBits(final ? 0b101 : 0b100, 3)
  writeHeader(literals, distances, shown, entries)
  makeCodes(lengths, literals, literalCodes)
  makeCodes(lengths + literals, distances, distanceCodes)
  writeSequences(from, end)
}

/** Bytes as they are: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4 */
export function writeStored(from: usize, to: usize, final: boolean): void {
  do {
    const size = <u32>min<usize>(to - from, 0xffff)
    putBits(final && from + size === to ? 1 : 0, 3)
    const at = endByte()
    store<u32>(at, size | (~size << 16))
    memory.copy(at + 4, from, size)
    setBits(at + 4 + size, 0, 0)
    from += size
  } while (from < to)
}

/** Gathers the lengths of both codes, runs of them in short. @returns how many entries they are */
function makeHeader(count: u32): u32 {
  memory.fill(headerFrequencies, 0, headerSymbols << 2)
  let entries: u32 = 0
  for (let at: u32 = 0; at < count; ) {
    const length = <u32>load<u8>(lengths + at)
    let run: u32 = 1
    while (at + run < count && <u32>load<u8>(lengths + at + run) === length) run++
    at += run
    if (length !== 0) {
      entries = addEntry(entries, length, 0)
      run--
    }
    while (run > 0) {
      const most: u32 = length === 0 ? 138 : 6
      const some = min(run, most)
      if (some < 3) entries = addEntry(entries, length, 0)
      else if (length !== 0) entries = addEntry(entries, 16, some - 3)
      else if (some <= 10) entries = addEntry(entries, 17, some - 3)
      else entries = addEntry(entries, 18, some - 11)
      run -= some < 3 ? 1 : some
    }
  }
  return entries
}

function addEntry(entries: u32, symbol: u32, extra: u32): u32 {
  store<u16>(header + (entries << 1), symbol | (extra << 8))
  const at = headerFrequencies + (symbol << 2)
  store<u32>(at, load<u32>(at) + 1)
  return entries + 1
}

function headerExtra(symbol: u32): u32 {
  return symbol < 16 ? 0 : symbol === 16 ? 2 : symbol === 17 ? 3 : 7
}

function headerBits(): u32 {
  let bits: u32 = 0
  for (let symbol: u32 = 0; symbol < headerSymbols; symbol++) {
    const length = <u32>load<u8>(headerLengths + symbol) + headerExtra(symbol)
    bits += load<u32>(headerFrequencies + (symbol << 2)) * length
  }
  return bits
}

function contentBits(frequencies: usize, literals: u32, distances: u32): u32 {
  let bits: u32 = 0
  for (let symbol: u32 = 0; symbol < literals; symbol++) {
    const extra = symbol > endOfBlock ? lengthExtra(symbol - endOfBlock - 1) : 0
    bits += load<u32>(frequencies + (symbol << 2)) * (<u32>load<u8>(lengths + symbol) + extra)
  }
  for (let symbol: u32 = 0; symbol < distances; symbol++) {
    const length = <u32>load<u8>(lengths + literals + symbol) + distanceExtra(symbol)
    bits += load<u32>(frequencies + distancesAt + (symbol << 2)) * length
  }
  return bits
}

function writeHeader(literals: u32, distances: u32, shown: u32, entries: u32): void {
  makeCodes(headerLengths, headerSymbols, headerCodes)
  putBits(literals - 257, 5)
  putBits(distances - 1, 5)
  putBits(shown - 4, 4)
  for (let index: u32 = 0; index < shown; index++) {
    putBits(load<u8>(headerLengths + load<u8>(headerOrder + index)), 3)
  }
  for (let index: u32 = 0; index < entries; index++) {
    const entry = <u32>load<u16>(header + (index << 1))
    const code = load<u32>(headerCodes + ((entry & 0xff) << 2))
    putBits(code & 0xffffff, code >>> 24)
    putBits(entry >>> 8, headerExtra(entry & 0xff))
  }
}

function writeSequences(from: usize, end: usize): void {
  for (let length: u32 = 3; length <= longestMatch; length++) {
    const kind = lengthClass(length)
    const code = load<u32>(literalCodes + ((endOfBlock + 1 + kind) << 2))
    const bits = (code & 0xffffff) | ((length - lengthBase(kind)) << (code >>> 24))
    store<u32>(matchCodes + (length << 2), bits | (((code >>> 24) + lengthExtra(kind)) << 24))
  }
  let at = bitsAt()
  let held = bitsHeld()
  let count = <u64>bitsHeldCount()
  for (let sequence = sequences; sequence < end; sequence += 8) {
    const value = load<u64>(sequence)
    const stop = from + <usize>(value & 0xffffffff)
    while (from + 4 <= stop) {
      for (let index = 0; index < 4; index++) {
        const code = load<u32>(literalCodes + ((<usize>load<u8>(from + index)) << 2))
        held |= (<u64>(code & 0xffffff)) << count
        count += code >>> 24
      }
      from += 4
      store<u64>(at, held)
      at += <usize>(count >>> 3)
      held >>= count & 0x38
      count &= 7
    }
    while (from < stop) {
      const code = load<u32>(literalCodes + ((<usize>load<u8>(from)) << 2))
      held |= (<u64>(code & 0xffffff)) << count
      count += code >>> 24
      from++
    }
    store<u64>(at, held)
    at += <usize>(count >>> 3)
    held >>= count & 0x38
    count &= 7
    const length = <u32>(value >>> 32) & 0xffff
    if (length === 0) continue
    const distance = <u32>(value >>> 48)
    const code = load<u32>(matchCodes + (length << 2))
    held |= (<u64>(code & 0xffffff)) << count
    count += code >>> 24
    const kind = distanceClass(distance)
    const distanceCode = load<u32>(distanceCodes + (kind << 2))
    held |= (<u64>(distanceCode & 0xffffff)) << count
    count += distanceCode >>> 24
    const extra = <u64>distanceExtra(kind)
    held |= (<u64>(distance - 1) & (((<u64>1) << extra) - 1)) << count
    count += extra
    store<u64>(at, held)
    at += <usize>(count >>> 3)
    held >>= count & 0x38
    count &= 7
    from += length
  }
  setBits(at, held, <u32>count)
  const code = load<u32>(literalCodes + (endOfBlock << 2))
  putBits(code & 0xffffff, code >>> 24)
}
