/**
 * The texts that a secret turns into when it is encoded, alone or inside of a longer text: as it is, base64
 * at each of the three alignments (so also the base64 of `user:secret`), base64url, percent-encoded, inside a
 * JSON string, and in hex.
 */
export function secretForms(secret: string): ReadonlyMap<string, string> {
  const bytes = Buffer.from(secret)
  const forms = new Map([['plain', secret]])
  const add = (name: string, text: string) => {
    // A short text would be found everywhere.
    if (text.length >= 6 && ![...forms.values()].includes(text)) forms.set(name, text)
  }
  for (const shift of [0, 1, 2]) {
    const base64 = alignedBase64(bytes, shift)
    add(`base64+${shift}`, base64)
    add(`base64url+${shift}`, base64.replaceAll('+', '-').replaceAll('/', '_'))
  }
  add('percent-encoded', encodeURIComponent(secret))
  add('in JSON', JSON.stringify(secret).slice(1, -1))
  add('hex', bytes.toString('hex'))
  return forms
}

/** The part of the base64 of any text that holds `bytes` from byte `shift` (mod 3) which depends on them only. */
function alignedBase64(bytes: Buffer, shift: number): string {
  const base64 = Buffer.concat([Buffer.alloc(shift), bytes])
    .toString('base64')
    .replace(/=+$/, '')
  const first = Math.ceil((shift * 8) / 6)
  const last = Math.floor(((shift + bytes.length) * 8) / 6)
  return base64.slice(first, last)
}
