// The alphabets of DEFLATE: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.5

/** Bytes, the end of the block, 29 classes of lengths. */
export const literalSymbols: u32 = 286
export const distanceSymbols: u32 = 30
export const endOfBlock: u32 = 256
export const shortestMatch: u32 = 4
export const longestMatch: u32 = 258

/** Of each class of lengths: its first length less 3, and its extra bits. */
// biome-ignore format: as in the RFC
const lengthBases = memory.data<u8>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 255,
])
// biome-ignore format: as in the RFC
const lengthExtras = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
])
const lengthClasses = memory.data(longestMatch + 1)

/** To be called once, before any other. */
export function fillLengthClasses(): void {
  let found: u32 = 0
  for (let length: u32 = 3; length <= longestMatch; length++) {
    if (found < 28 && length - 3 >= <u32>load<u8>(lengthBases + found + 1)) found++
    store<u8>(lengthClasses + length, found)
  }
}

export function lengthClass(length: u32): u32 {
  return load<u8>(lengthClasses + length)
}
export function lengthBase(kind: u32): u32 {
  return <u32>load<u8>(lengthBases + kind) + 3
}
export function lengthExtra(kind: u32): u32 {
  return load<u8>(lengthExtras + kind)
}

/** Two classes for each power of two. */
export function distanceClass(distance: u32): u32 {
  if (distance <= 2) return distance - 1
  const log = 31 - clz(distance - 1)
  return 2 * log + (((distance - 1) >>> (log - 1)) & 1)
}
export function distanceExtra(kind: u32): u32 {
  return kind < 2 ? 0 : (kind >>> 1) - 1
}
