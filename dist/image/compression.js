import { pipeline } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { codeOf, messageOf, UserError } from '../util/errors.js'

const magics = [
  ['gzip', '1f8b'],
  ['zstd', '28b52ffd'],
  ['xz', 'fd377a585a00'],
  ['bzip2', '425a68'],
]

/** @param head the first bytes, six at least where there are as many */
export function packingOf(head) {
  const hex = head.toString('hex', 0, 6)
  return magics.find(([, magic]) => hex.startsWith(magic))?.[0]
}

/**
 * Unpacks gzip and zstd as a stream. An error of either side destroys both.
 * Concatenated zstd frames are an error, since Node.js 24 would give the first one only:
 * https://github.com/nodejs/node/issues/64741
 */
export function unpack(packed, packing) {
  const chunkSize = 256 * 1024
  const unpacked =
    packing === 'gzip'
      ? createGunzip({ chunkSize })
      : createZstdDecompress({ chunkSize, rejectGarbageAfterEnd: true })
  // The error reaches whoever reads `unpacked`.
  return pipeline(packed, unpacked, () => {})
}

/** Says in words what went wrong in `unpack`; gives back what is no matter of the packed bytes. */
export function unpackingError(error, name) {
  const code = codeOf(error) ?? ''
  if (code === 'ERR_TRAILING_JUNK_AFTER_STREAM_END')
    return new UserError(`${name} holds more than one zstd frame, or something behind the first.`, {
      advice: 'Compress it with `zstd`, which makes one frame, or with gzip.',
      cause: error,
    })
  if (!/^(Z_|ZSTD_error_)/.test(code)) return error
  return new UserError(`Damaged archive ${name}: it cannot be unpacked (${messageOf(error)}).`, {
    advice: 'Build the image again. If that does not help, see whether the disk is full or failing.',
    cause: error,
  })
}
