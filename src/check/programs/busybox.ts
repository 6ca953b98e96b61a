import type { Found } from '../../image/rootfs/model.ts'
import type { Subject } from '../model.ts'
import { basename } from './access.ts'
import type { Start } from './start.ts'

const largest = 16 * 1024 * 1024

export function isBusybox({ path, entry }: Found): boolean {
  return /^(?:busybox|toybox)/.test(basename(path)) && entry.size <= largest
}

/** Whether a program may be one that the busybox has which is to start it: it may be built to prefer its own. */
export function isApplet({ fs }: Subject, { busybox }: Start, name: string): boolean {
  // Their names are one list of texts.
  return busybox !== undefined && !name.includes('/') && fs.read(busybox).includes(`\0${name}\0`)
}
