import { basename } from './access.js'

const largest = 16 * 1024 * 1024

export function isBusybox({ path, entry }) {
  return /^(?:busybox|toybox)/.test(basename(path)) && entry.size <= largest
}

/** Whether a program may be one that the busybox has which is to start it: it may be built to prefer its own. */
export function isApplet({ fs }, { busybox }, name) {
  // Their names are one list of texts.
  return busybox !== undefined && !name.includes('/') && fs.read(busybox).includes(`\0${name}\0`)
}
