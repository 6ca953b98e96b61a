import { rawOf } from '../../util/raw-path.js'

/**
 * What is in a raw string (see util/raw-path.ts) beyond ASCII: a character of UTF-8 as RFC 3629 has it, which is the
 * first group, else a byte that is not part of any.
 */
export const beyondAscii = new RegExp(
  [
    '([\\xc2-\\xdf][\\x80-\\xbf]',
    '\\xe0[\\xa0-\\xbf][\\x80-\\xbf]',
    '[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '\\xed[\\x80-\\x9f][\\x80-\\xbf]',
    '\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}',
    '[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2})',
    '[\\x80-\\xff]',
  ].join('|'),
  'g',
)

export function isAscii(text) {
  return !/[\u0080-\uffff]/.test(text)
}

export function isUtf8(raw) {
  return isAscii(raw) || [...raw.matchAll(beyondAscii)].every(([, character]) => character !== undefined)
}

/** The text of a raw string. A byte that is not part of any becomes one of U+DC80 to U+DCFF (PEP 383). */
export function decode(raw) {
  return raw.replace(beyondAscii, (found, character) =>
    character === undefined
      ? String.fromCharCode(0xdc00 + found.charCodeAt(0))
      : Buffer.from(character, 'latin1').toString(),
  )
}

/** The raw string that `decode` was given. */
export function encode(text) {
  const pieces = text.split(/([\udc80-\udcff])/u)
  return pieces
    .map((piece, i) => (i % 2 === 0 ? rawOf(piece) : String.fromCharCode(piece.charCodeAt(0) - 0xdc00)))
    .join('')
}
