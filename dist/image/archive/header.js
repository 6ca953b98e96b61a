import { blockSize, padding } from './blocks.js'
import { isAscii } from './utf8.js'

/** The types of members, as ustar has them. */
export const memberTypes = { file: '0', symlink: '2', directory: '5' }

/**
 * A header of 512 bytes. Strings are cut at the end of their fields; whoever gives them sees that they are ASCII.
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
 */
export function ustarBlock(block) {
  const fields =
    text(block.name, 100) +
    octal(block.mode, 8) +
    octal(block.uid, 8) +
    octal(block.gid, 8) +
    octal(block.size, 12) +
    octal(block.mtime, 12) +
    '        ' + // the checksum's field, as it counts itself
    block.type +
    text(block.target, 100) +
    'ustar\0' +
    '00' +
    text(block.uname, 32) +
    text(block.gname, 32) +
    text(block.device, 8) +
    text(block.device, 8) +
    text(block.prefix, 155)
  const bytes = Buffer.from(text(fields, blockSize), 'latin1')
  let sum = 0
  for (const byte of bytes) sum += byte
  bytes.write(octal(sum, 7), 148, 'latin1')
  return bytes
}

const nobody = { mode: 0, uid: 0, gid: 0, uname: '', gname: '', mtime: 0, target: '', prefix: '' }

/**
 * A member of the type that extends the header of the next one.
 * @param name raw, how the archive calls this member
 * @param records raw, of `paxRecord`
 */
export function paxHeader(name, records) {
  const block = ustarBlock({ ...nobody, type: 'x', name, size: records.length, device: '' })
  return Buffer.concat([block, Buffer.from(records, 'latin1'), Buffer.alloc(padding(records.length))])
}

/** @param value raw */
export function paxRecord(key, value) {
  const rest = ` ${key}=${value}\n`
  let length = rest.length
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length
  return length + rest
}

/** Whether a raw string stands in a field as it is. */
export function fitsText(value, width) {
  return value.length <= width && isAscii(value)
}

/** Whether a number stands in an octal field as it is. */
export function fitsOctal(value, width) {
  return value >= 0 && value < 8 ** (width - 1)
}

function text(value, width) {
  return value.slice(0, width).padEnd(width, '\0')
}

function octal(value, width) {
  return `${value.toString(8).padStart(width - 1, '0')}\0`
}
