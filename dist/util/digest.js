import { createHash } from 'node:crypto'

const digestPattern = /^sha256:[0-9a-f]{64}$/

export function isDigest(text) {
  return digestPattern.test(text)
}

export function sha256(data) {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`
}
