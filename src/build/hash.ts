import { nixBase32 } from '../util/base32.ts'

/**
 * The ways in which a Nix file may write a hash, without the algorithm before it: base 64, base 16, Nix's base 32.
 * @param sri `sha256-<base 64>`, as Nix prints it
 */
export function spellings(sri: string): string[] {
  const base64 = sri.replace(/^[a-z0-9]+[-:]/, '')
  const bytes = Buffer.from(base64, 'base64')
  return [base64, bytes.toString('hex'), nixBase32(bytes)]
}

/** Whether it is the hash of zeros that stands in until the right one is known (`lib.fakeHash`, `hash = ""`). */
export function isPlaceholder(sri: string): boolean {
  return /^[a-z0-9]+-A+=*$/.test(sri)
}
