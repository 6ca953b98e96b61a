/**
 * Names of files are bytes, and not always UTF-8. A _raw_ path is a string of which each character is one byte, as
 * Node.js gives them with the encoding `latin1`. JavaScript sorts such strings by their bytes.
 */

const beyondAscii = /[\u0080-\u00ff]/

/** @returns what functions of node:fs take for a raw path: bytes, unless it is ASCII */
export function fsPath(raw) {
  return beyondAscii.test(raw) ? Buffer.from(raw, 'latin1') : raw
}

/** The raw form of ordinary text. */
export function rawOf(text) {
  return Buffer.from(text).toString('latin1')
}

/** What to show of a raw path. */
export function textOf(raw) {
  return Buffer.from(raw, 'latin1').toString()
}
