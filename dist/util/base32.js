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

/** The bytes that `nixBase32` makes a text of; undefined where it makes it of none. */
export function fromNixBase32(text) {
  const digits = [...text].map(digit => alphabet.indexOf(digit))
  const hex = digits.reduce((sum, digit) => sum * 32n + BigInt(digit), 0n).toString(16)
  const bytes = Buffer.from(hex.padStart(Math.floor((text.length * 5) / 8) * 2, '0'), 'hex').reverse()
  return nixBase32(bytes) === text ? bytes : undefined
}

/**
 * @param hash `sha256-<base64>`, or `sha256:<base 32>` as older versions of Nix print it
 * @returns 52 characters of Nix's base 32; undefined for a hash of another kind
 */
export function base32OfHash(hash) {
  const digest = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(hash)?.[1]
  if (digest !== undefined) return nixBase32(Buffer.from(digest, 'base64'))
  return /^sha256:([0-9a-df-np-sv-z]{52})$/.exec(hash)?.[1]
}
