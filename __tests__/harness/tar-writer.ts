/** How the archive says what does not fit into ustar's fields. */
export type TarFormat = 'pax' | 'gnu'

export type TarInput = {
  readonly name: string
  /** @default '0' */
  readonly flag?: string
  readonly data?: string | Uint8Array
  readonly linkName?: string
  /** @default 0o644 */
  readonly mode?: number
  /** @default 0 */
  readonly uid?: number
  /** @default 0 */
  readonly gid?: number
  /** What the header claims instead of the length of `data`. */
  readonly claimedSize?: number
}

const block = 512

/** Writes a tar archive into memory, each member as given, so that tests can also make what no program would. */
export function writeTar(members: readonly TarInput[], format: TarFormat = 'pax'): Buffer {
  return Buffer.concat([...members.flatMap(member => tarMember(member, format)), Buffer.alloc(2 * block)])
}

function tarMember(member: TarInput, format: TarFormat): Buffer[] {
  const { name, linkName = '' } = member
  const data = Buffer.from(member.data ?? '')
  const size = member.claimedSize ?? data.length
  const longName = Buffer.byteLength(name) > 100
  const longLink = Buffer.byteLength(linkName) > 100
  const longSize = size >= 8 ** 11
  const before: Buffer[] = []
  if (format === 'gnu') {
    if (longLink)
      before.push(...tarMember({ name: '././@LongLink', flag: 'K', data: `${linkName}\0` }, format))
    if (longName) before.push(...tarMember({ name: '././@LongLink', flag: 'L', data: `${name}\0` }, format))
  } else {
    const records = [
      ...(longName ? [paxRecord('path', name)] : []),
      ...(longLink ? [paxRecord('linkpath', linkName)] : []),
      ...(longSize ? [paxRecord('size', String(size))] : []),
    ]
    if (records.length > 0)
      before.push(...tarMember({ name: '././@PaxHeader', flag: 'x', data: records.join('') }, format))
  }
  return [...before, header(member, size, format), padded(data)]
}

export function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest
  while (length !== rest + String(length).length) length = rest + String(length).length
  return `${length} ${key}=${value}\n`
}

function header(member: TarInput, size: number, format: TarFormat): Buffer {
  const { name, flag = '0', linkName = '', mode = 0o644, uid = 0, gid = 0 } = member
  const bytes = Buffer.alloc(block)
  Buffer.from(name).copy(bytes, 0, 0, 100)
  bytes.write([mode, uid, gid].map(number => `${octal(number, 7)}\0`).join(''), 100)
  if (size < 8 ** 11) bytes.write(octal(size, 11), 124)
  else if (format === 'gnu') {
    bytes.writeUInt32BE(0x80000000, 124)
    bytes.writeBigUInt64BE(BigInt(size), 128)
  }
  bytes.write(octal(1, 11), 136)
  bytes.write(flag, 156)
  Buffer.from(linkName).copy(bytes, 157, 0, 100)
  bytes.write(format === 'gnu' ? 'ustar  \0' : 'ustar\u000000', 257, 'latin1')
  return withChecksum(bytes)
}

/** Puts the right checksum into a header that was changed. */
export function withChecksum(bytes: Buffer): Buffer {
  bytes.write('        ', 148)
  const sum = bytes.subarray(0, block).reduce((total, byte) => total + byte, 0)
  bytes.write(`${octal(sum, 6)}\0 `, 148)
  return bytes
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0')
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc((block - (data.length % block)) % block)])
}
