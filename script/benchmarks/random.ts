/** Numbers that look random and are the same in every run. */
export type Random = {
  /** From 0 up to, but not including, 1. */
  next(): number
  /** From 0 up to, but not including, `limit`. */
  below(limit: number): number
  /** Random bytes, of which no program can make fewer. */
  bytes(count: number): Buffer
}

/** The generator that its author calls sfc32: https://pracrand.sourceforge.net/RNG_engines.txt */
export function randomFrom(seed: number): Random {
  let [a, b, c, counter] = [0, seed | 0, (seed * 0x9e3779b1) | 0, 1]
  const word = () => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  for (let round = 0; round < 12; round++) word()
  const next = () => word() / 2 ** 32
  return {
    next,
    below: limit => Math.floor(next() * limit),
    bytes(count) {
      const words = new Uint32Array(Math.ceil(count / 4))
      for (let at = 0; at < words.length; at++) words[at] = word()
      return Buffer.from(words.buffer, 0, count)
    },
  }
}
