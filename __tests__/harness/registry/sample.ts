import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Image, Layer, LayerSource } from '../../../src/image/model.ts'
import { type Digest, sha256 } from '../../../src/util/digest.ts'
import { type TarInput, writeTar } from '../tar-writer.ts'

export type FileLayer = Layer & {
  readonly diffId: Digest
  readonly source: Extract<LayerSource, { readonly kind: 'file' }>
}

let folder: string | undefined
let files = 0

/** A layer with these members, as a real tar archive in a file, which is there as long as this process. */
export function sampleLayer(...members: readonly TarInput[]): FileLayer {
  const tar = writeTar(members)
  const diffId = sha256(tar)
  return { key: diffId, diffId, size: tar.length, source: sampleFile(tar) }
}

/** A file with these bytes. */
export function sampleFile(bytes: Uint8Array, packing?: 'gzip' | 'zstd'): FileLayer['source'] {
  if (folder === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'sample-layers-'))
    process.once('exit', () => rmSync(made, { recursive: true }))
    folder = made
  }
  const file = join(folder, String(files++))
  writeFileSync(file, bytes)
  return { kind: 'file', file, offset: 0, length: bytes.length, packing }
}

/** The same layer, whose bytes cannot be had: to read it is an error. */
export function unreadable(layer: FileLayer): FileLayer {
  return { ...layer, source: { ...layer.source, file: '/there is no such file' } }
}

/** An image of these layers, with a config as Docker's save has it. */
export function sampleImage(...layers: readonly Layer[]): Image {
  return {
    kind: 'docker-archive',
    platform: { os: 'linux', architecture: 'amd64' },
    config: diffIds =>
      Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          config: { Cmd: ['/bin/hello'] },
          rootfs: { type: 'layers', diff_ids: diffIds },
        }),
      ),
    layers,
    close: async () => {},
  }
}

/** The config of an image whose layers' diffIDs are known. */
export function configOf(image: Image): Buffer {
  return image.config(image.layers.flatMap(({ diffId }) => diffId ?? []))
}

/** Bytes that no compressor makes smaller, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}
