import type { Difference } from '../../../src/reproduce/model.ts'
import type { ByteSource } from '../../../src/util/tar.ts'

export function sourceOf(content: string | Buffer, name = 'sample'): ByteSource {
  const bytes = Buffer.from(content)
  return {
    name,
    size: bytes.length,
    read: async (position, length) => {
      if (position < 0 || position + length > bytes.length) throw new RangeError('read beyond the end')
      return bytes.subarray(position, position + length)
    },
  }
}

/** `where kind` of each. */
export async function told(differences: AsyncIterable<Difference>): Promise<string[]> {
  const found: string[] = []
  for await (const { where, kind } of differences) found.push(`${where} ${kind}`)
  return found
}
