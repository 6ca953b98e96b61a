// Where the output is written: bits from the lowest of a byte to the highest.

let at: usize = 0
/** Bits that are not written yet: fewer than eight when it is another's turn. */
let held: u64 = 0
let heldBits: u32 = 0

export function beginBits(to: usize): void {
  at = to
  held = 0
  heldBits = 0
}

export function bitsAt(): usize {
  return at
}
export function bitsHeld(): u64 {
  return held
}
export function bitsHeldCount(): u32 {
  return heldBits
}
/** Those who keep these in variables of their own meanwhile give them back. */
export function setBits(to: usize, bits: u64, count: u32): void {
  at = to
  held = bits
  heldBits = count
}

/** @param count at most 56 */
export function putBits(bits: u64, count: u32): void {
  held |= bits << heldBits
  heldBits += count
  store<u64>(at, held)
  at += heldBits >>> 3
  held >>= heldBits & 0x38
  heldBits &= 7
}

/** Fills up the byte that was begun. @returns where the next one is */
export function endByte(): usize {
  putBits(0, (8 - heldBits) & 7)
  return at
}
