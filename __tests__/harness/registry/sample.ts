import { Readable } from 'node:stream'
import type { Image, Layer } from '../../../src/image/model.ts'
import { sha256 } from '../../../src/util/digest.ts'
import { type TarInput, writeTar } from '../tar-writer.ts'

/** A layer in memory that knows how often it was read. */
export type SampleLayer = Layer & { readonly opened: number }

/** A layer with these members, as a real tar archive. */
export function sampleLayer(...members: readonly TarInput[]): SampleLayer {
  const tar = writeTar(members)
  const layer = {
    diffId: sha256(tar),
    size: tar.length,
    opened: 0,
    open() {
      layer.opened++
      return Readable.from(chunks(tar))
    },
  }
  return layer
}

/** An image of these layers, with a config as Docker's save has it. */
export function sampleImage(...layers: readonly Layer[]): Image {
  return {
    kind: 'docker-archive',
    platform: { os: 'linux', architecture: 'amd64' },
    config: Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        os: 'linux',
        config: { Cmd: ['/bin/hello'] },
        rootfs: { type: 'layers', diff_ids: layers.map(layer => layer.diffId) },
      }),
    ),
    layers,
    close: async () => {},
  }
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

function* chunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65536) yield bytes.subarray(at, at + 65536)
}
