import { arch } from 'node:process'

/** How this machine's architecture is named by those who build for it. */
export type Platform = {
  /** Nix's name. */
  readonly system: 'x86_64-linux' | 'aarch64-linux'
  /** Debian's folder name for libraries. */
  readonly triplet: string
  /** File name of glibc's dynamic loader. */
  readonly loader: string
}

/** Throws when the parts are not made for this architecture. */
export function platform(): Platform {
  if (arch === 'x64') {
    return { system: 'x86_64-linux', triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' }
  }
  if (arch === 'arm64') {
    return { system: 'aarch64-linux', triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' }
  }
  throw new Error(`The parts for tests exist for x86_64 and aarch64, not for ${arch}`)
}
