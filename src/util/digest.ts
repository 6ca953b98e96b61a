import { createHash } from 'node:crypto'

/** `sha256:` and 64 lower-case hex digits, as OCI descriptors write it. */
export type Digest = `sha256:${string}`

const digestPattern = /^sha256:[0-9a-f]{64}$/

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text)
}

export function sha256(data: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`
}
