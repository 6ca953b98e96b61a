import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Layer, LayerSource } from '../../../src/image/model.ts'
import type { Found, RootFs } from '../../../src/image/rootfs/model.ts'
import { openRootFs, type RootFsLimits } from '../../../src/image/rootfs/open.ts'
import { type TarInput, writeTar } from '../../harness/tar-writer.ts'

/** Of an archive its members, or its bytes as they are. */
export type LayerInput = readonly TarInput[] | Uint8Array | LayerSource

/** Layers of an image, in a folder of their own that goes with them. */
export type Layers = Disposable & { readonly folder: string; readonly layers: readonly Layer[] }

export function layersOf(inputs: readonly LayerInput[]): Layers {
  const folder = mkdtempSync(join(tmpdir(), 'rootfs-'))
  const layers = inputs.map((input, i): Layer => {
    const known = { key: `layer ${i}`, diffId: undefined, size: 0 }
    if ('kind' in input) return { ...known, source: input }
    const bytes = input instanceof Uint8Array ? input : writeTar(input)
    const file = join(folder, `${i}.tar`)
    writeFileSync(file, bytes)
    return {
      ...known,
      source: { kind: 'file', file, offset: 0, length: bytes.length, packing: undefined },
    }
  })
  return { folder, layers, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) }
}

/** Opens the files of an image that has these layers, lets `look` at them, and closes them. */
export async function withRootFs<T>(
  inputs: readonly LayerInput[],
  look: (fs: RootFs) => T,
  limits?: RootFsLimits,
): Promise<T> {
  using image = layersOf(inputs)
  const fs = await openRootFs(image, { scratch: image.folder, ...(limits && { limits }) })
  try {
    return look(fs)
  } finally {
    await fs.close()
  }
}

/** All that is there, by path: what it is, and of a file what is in it. */
export function listing(fs: RootFs): Map<string, object> {
  const describe = (found: Found) => {
    const data = found.entry.type === 'file' ? fs.read(found).toString('latin1') : ''
    return [found.path, { ...found.entry, data }] as const
  }
  return new Map([...fs.named(() => true)].map(describe).sort(([a], [b]) => (a < b ? -1 : 1)))
}
