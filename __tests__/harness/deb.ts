import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { gzipSync, zstdDecompressSync } from 'node:zlib'

const magic = '!<arch>\n'
const headerLength = 60

/**
 * Copies a Debian package so that busybox can unpack it: Ubuntu's packages are compressed with zstd, which busybox
 * does not know, and become gzip. The format is an ar archive: https://manpages.debian.org/deb.5
 * @throws Error when `from` is not a Debian package
 */
export async function plainDeb(from: string, to: string): Promise<void> {
  const bytes = await readFile(from)
  const members = parseAr(bytes, from)
  if (!members.some(({ name }) => name.endsWith('.zst'))) return await copyFile(from, to)
  const plain = members.map(member =>
    member.name.endsWith('.zst')
      ? {
          name: member.name.replace(/\.zst$/, '.gz'),
          data: gzipSync(zstdDecompressSync(member.data), { level: 1 }),
        }
      : member,
  )
  await writeFile(to, Buffer.concat([Buffer.from(magic), ...plain.flatMap(writeMember)]))
}

type Member = { readonly name: string; readonly data: Buffer }

function parseAr(bytes: Buffer, path: string): Member[] {
  if (bytes.toString('latin1', 0, magic.length) !== magic) throw new Error(`${path} is not a Debian package`)
  const members: Member[] = []
  for (let at = magic.length; at < bytes.length; ) {
    const name = bytes
      .toString('latin1', at, at + 16)
      .trim()
      .replace(/\/$/, '')
    const size = Number(bytes.toString('latin1', at + 48, at + 58))
    members.push({ name, data: bytes.subarray(at + headerLength, at + headerLength + size) })
    at += headerLength + size + (size % 2)
  }
  return members
}

function writeMember({ name, data }: Member): Buffer[] {
  const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`
  const size = String(data.length).padEnd(10)
  return [Buffer.from(`${header}${size}\`\n`), data, Buffer.alloc(data.length % 2, '\n')]
}
