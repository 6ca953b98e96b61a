// How many bits an ideal code would take: what decides where blocks end.

const logs = memory.data(4096 * 2)

/** To be called once, before any other. */
export function fillLogs(): void {
  for (let number: u32 = 1; number < 4096; number++) {
    // Digit by digit: squaring a number doubles its logarithm.
    const whole = 31 - clz(number)
    let rest = (<u64>number) << (31 - whole)
    let log = whole
    for (let digit = 0; digit < 10; digit++) {
      rest = (rest * rest) >> 31
      log <<= 1
      if (rest >= (<u64>1) << 32) {
        rest >>= 1
        log |= 1
      }
    }
    store<u16>(logs + (number << 1), log)
  }
}

/** A number times its logarithm of base 2, times 1024. */
export function timesLog(number: u32): u64 {
  const shift = max<i32>(0, 20 - <i32>clz(number))
  return <u64>number * (<u64>load<u16>(logs + ((number >>> shift) << 1)) + ((<u64>shift) << 10))
}

/** Bits that the symbols of an alphabet take, times 1024. @param frequencies u32 each */
export function idealBits(frequencies: usize, symbols: u32): u64 {
  let all: u32 = 0
  let bits: u64 = 0
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const frequency = load<u32>(frequencies + (symbol << 2))
    all += frequency
    bits += timesLog(frequency)
  }
  return timesLog(all) - bits
}
