const alphabet = '0123456789abcdfghijklmnpqrsvwxyz'

/** Bytes in Nix's base 32: from the last five bits to the first, without the letters e, o, t and u. */
export function nixBase32(bytes) {
  const digits = Array.from({ length: Math.ceil((bytes.length * 8) / 5) }, (_, index) => {
    const bit = index * 5
    const word = (bytes[bit >> 3] ?? 0) | ((bytes[(bit >> 3) + 1] ?? 0) << 8)
    return alphabet[(word >> (bit & 7)) & 31]
  })
  return digits.reverse().join('')
}
