import { sequences } from './memory'
import { distanceClass, distanceSymbols, endOfBlock, lengthClass, literalSymbols } from './symbols'

// What was found, as sequences: some bytes as they are, then a match. A u64 each: the number of bytes in the lowest 32
// bits, the match's length in 16, its distance in 16. Length 0: no match follows.

/** How often each symbol occurs, u32 each: first those of literals and lengths, then those of distances. */
export const frequenciesCount: u32 = literalSymbols + distanceSymbols
export const frequenciesSize: usize = (<usize>frequenciesCount) << 2
/** Where those of distances are, in such a table. */
export const distancesAt: usize = (<usize>literalSymbols) << 2

/** Of the run that is being read. */
export const runFrequencies = memory.data(316 * 4)

let end: usize = sequences

export function clearSequences(): void {
  end = sequences
}
export function sequencesEnd(): usize {
  return end
}
/** @param from the first sequence that remains; it becomes the first of all */
export function dropSequences(from: usize): void {
  memory.copy(sequences, from, end - from)
  end -= from - sequences
}

export function clearRun(): void {
  memory.fill(runFrequencies, 0, frequenciesSize)
  store<u32>(runFrequencies + (endOfBlock << 2), 1)
}

function count(symbol: u32): void {
  const at = runFrequencies + (symbol << 2)
  store<u32>(at, load<u32>(at) + 1)
}

/** Adds a sequence: the bytes from `from` up to `to`, then a match. */
export function addSequence(from: usize, to: usize, length: u32, distance: u32): void {
  for (let at = from; at < to; at++) count(load<u8>(at))
  if (length > 0) {
    count(endOfBlock + 1 + lengthClass(length))
    count(literalSymbols + distanceClass(distance))
  }
  store<u64>(end, <u64>(to - from) | ((<u64>length) << 32) | ((<u64>distance) << 48))
  end += 8
}
