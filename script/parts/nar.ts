import { createHash } from 'node:crypto'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { nixBase32 } from '../../src/util/base32.ts'

/** What Nix registers of a path, computed without Nix. */
export type NarInfo = {
  /** `sha256:<base 32>` */
  readonly hash: string
  readonly size: number
  /** Those of the given hash parts that occur in the path's contents. */
  readonly references: readonly string[]
}

/** Serialises a file or folder as Nix does and gives the digest and size of that, and the references found. */
export async function narInfo(path: string, hashParts: readonly string[]): Promise<NarInfo> {
  const hash = createHash('sha256')
  const found = new Set<string>()
  let size = 0
  const bytes = (content: Uint8Array) => {
    hash.update(content)
    size += content.length
  }
  const content = (data: Buffer) => {
    const header = Buffer.alloc(8)
    header.writeBigUInt64LE(BigInt(data.length))
    bytes(header)
    bytes(data)
    bytes(Buffer.alloc((8 - (data.length % 8)) % 8))
  }
  const words = (...texts: string[]) => {
    for (const text of texts) content(Buffer.from(text))
  }
  const scanned = (data: Buffer) => {
    for (const part of hashParts) if (data.includes(part)) found.add(part)
    content(data)
  }
  const node = async (at: string): Promise<void> => {
    const info = await lstat(at)
    if (info.isSymbolicLink()) {
      words('(', 'type', 'symlink', 'target')
      scanned(Buffer.from(await readlink(at)))
    } else if (info.isDirectory()) {
      words('(', 'type', 'directory')
      // Nix orders names by their bytes.
      const names = (await readdir(at)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      for (const name of names) {
        words('entry', '(', 'name', name, 'node')
        await node(join(at, name))
        words(')')
      }
    } else {
      words('(', 'type', 'regular', ...((info.mode & 0o100) === 0 ? [] : ['executable', '']), 'contents')
      scanned(await readFile(at))
    }
    words(')')
  }
  words('nix-archive-1')
  await node(path)
  return { hash: `sha256:${nixBase32(hash.digest())}`, size, references: [...found].sort() }
}
