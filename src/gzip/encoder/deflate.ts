import { beginBits, endByte } from './bits'
import { writeBlock, writeStored } from './block'
import { fillLogs, idealBits } from './logs'
import { beginMatches, findSequences, rememberWindow } from './matches'
import { input, mostSequences, output, outputSize, sequences } from './memory'
import {
  clearRun,
  clearSequences,
  distancesAt,
  dropSequences,
  frequenciesSize,
  runFrequencies,
  sequencesEnd,
} from './runs'
import { distanceSymbols, fillLengthClasses, literalSymbols } from './symbols'

/** Bytes that are read before it is asked whether they belong to the same block. */
const runSize: usize = 16 * 1024
/** What a block's header takes, about. */
const headerBits: u64 = 700 << 10

/** For tests alone, which look at codes that no input of theirs would lead to. */
export { makeLengths } from './huffman'

const blockFrequencies = memory.data(316 * 4)
const bothFrequencies = memory.data(316 * 4)

const pages = <i32>((output + outputSize + 0xffff) >> 16)
memory.grow(pages - memory.size())
fillLengthClasses()
fillLogs()

export function inputAt(): usize {
  return input
}
export function outputAt(): usize {
  return output
}

function idealCost(frequencies: usize): u64 {
  return idealBits(frequencies, literalSymbols) + idealBits(frequencies + distancesAt, distanceSymbols)
}

/**
 * Compresses a chunk that is in the memory from `inputAt`, behind what comes before it in the stream. What is written
 * ends with a whole byte and depends on these bytes and the level only.
 * @param before bytes of what comes before, at most `windowSize`
 * @param size bytes of the chunk, at most `chunkSize`
 * @param final whether the stream ends with it
 * @returns bytes from `outputAt`
 */
export function deflate(before: u32, size: u32, level: u32, final: boolean): u32 {
  beginBits(output)
  const begin = input + before
  const end = begin + size
  beginMatches(input, level)
  if (size >= 4) rememberWindow(begin)
  clearSequences()

  let from = begin
  let blockEnd: usize = sequences
  let blockCost: u64 = 0
  let at = begin
  while (at < end) {
    clearRun()
    const runFrom = at
    at = findSequences(at, min(at + runSize, end), end)
    const cost = idealCost(runFrequencies)
    for (let index: usize = 0; index < frequenciesSize; index += 4) {
      store<u32>(
        bothFrequencies + index,
        load<u32>(blockFrequencies + index) + load<u32>(runFrequencies + index),
      )
    }
    const both = idealCost(bothFrequencies)
    if (
      runFrom > from &&
      (both > blockCost + cost + headerBits || <u32>((blockEnd - sequences) >> 3) >= mostSequences)
    ) {
      writeBlock(blockFrequencies, from, runFrom, blockEnd, false)
      dropSequences(blockEnd)
      from = runFrom
    }
    const alone = runFrom === from
    memory.copy(blockFrequencies, alone ? runFrequencies : bothFrequencies, frequenciesSize)
    blockCost = alone ? cost : both
    blockEnd = sequencesEnd()
  }
  if (at > from) writeBlock(blockFrequencies, from, end, blockEnd, final)
  else if (final) writeStored(end, end, true)
  // An empty stored block ends at a whole byte.
  if (!final) writeStored(end, end, false)
  return <u32>(endByte() - output)
}
