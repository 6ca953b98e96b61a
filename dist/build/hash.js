const alphabet = '0123456789abcdfghijklmnpqrsvwxyz'

/**
 * The ways in which a Nix file may write a hash, without the algorithm before it: base 64, base 16, Nix's base 32.
 * @param sri `sha256-<base 64>`, as Nix prints it
 */
export function spellings(sri) {
  const base64 = sri.replace(/^[a-z0-9]+[-:]/, '')
  const bytes = Buffer.from(base64, 'base64')
  return [base64, bytes.toString('hex'), nixBase32(bytes)]
}

/** Whether it is the hash of zeros that stands in until the right one is known (`lib.fakeHash`, `hash = ""`). */
export function isPlaceholder(sri) {
  return /^[a-z0-9]+-A+=*$/.test(sri)
}

/** Base 32 as Nix has it: from the last five bits to the first, without e, o, t and u. */
export function nixBase32(bytes) {
  let bits = 0n
  for (const byte of bytes.toReversed()) bits = (bits << 8n) | BigInt(byte)
  let text = ''
  for (let digit = Math.ceil((bytes.length * 8) / 5) - 1; digit >= 0; digit--) {
    text += alphabet[Number((bits >> BigInt(digit * 5)) & 31n)]
  }
  return text
}
