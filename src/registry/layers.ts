import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pMap from 'p-map'
import type { Layer } from '../image/model.ts'
import type { Digest } from '../util/digest.ts'
import type { Log } from '../util/log.ts'
import { formatBytes } from '../util/text.ts'
import type { RegistryClient } from './client.ts'
import { compressLayer, defaultLevel } from './compress.ts'
import type { Compression, LayerMemo } from './model.ts'

/** A compressed layer that the registry has, and whether it had to be sent. */
export type Blob = {
  readonly digest: Digest
  /** Bytes. */
  readonly size: number
  readonly how: 'uploaded' | 'present'
}

/** What a compressed layer is remembered by: all that decides its bytes, except the compressor's version. */
export function memoKey(diffId: Digest, compression: Compression, level?: number): string {
  return `${diffId} ${compression} ${level ?? defaultLevel[compression]}`
}

/**
 * Sees to it that the registry has every layer, each different one once. A layer in `memo` whose blob the registry
 * has is not read; any other is compressed into `scratch`, asked for, and sent if it is missing. After the first
 * failure the other layers are stopped too. Nothing stays in `scratch`.
 * @param options.concurrency layers worked on at once
 * @returns a blob for each different diffID
 * @throws UserError
 */
export async function pushLayers(
  layers: readonly Layer[],
  options: {
    readonly client: RegistryClient
    readonly compression: Compression
    readonly level: number | undefined
    readonly memo: LayerMemo
    readonly scratch: string
    readonly log: Log
    readonly concurrency: number
    readonly signal: AbortSignal | undefined
  },
): Promise<ReadonlyMap<Digest, Blob>> {
  const { client, compression, level = defaultLevel[compression], memo, log } = options
  const different = [...new Map(layers.map(layer => [layer.diffId, layer])).values()]
  const directory = await mkdtemp(join(options.scratch, 'push-'))
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])])

  const push = async (layer: Layer): Promise<Blob> => {
    const known = memo.get(memoKey(layer.diffId, compression, level))
    if (known !== undefined && (await client.hasBlob(known, signal))) return { ...known, how: 'present' }
    const file = join(directory, layer.diffId.replace(':', '-'))
    const made = await compressLayer(layer, compression, level, file, signal)
    try {
      if (await client.hasBlob(made, signal)) return { ...made, how: 'present' }
      await client.uploadBlob({ ...made, open: () => createReadStream(file) }, signal)
      log.info(`Sent ${made.digest}: ${formatBytes(layer.size)} in ${formatBytes(made.size)}`)
      return { ...made, how: 'uploaded' }
    } finally {
      await rm(file)
    }
  }

  // Errors are kept until every layer has ended: what still runs would write and send behind our back.
  const failures: unknown[] = []
  try {
    const blobs = await pMap(
      different,
      async layer => {
        try {
          signal.throwIfAborted()
          return [[layer.diffId, await push(layer)] as const]
        } catch (error) {
          failures.push(error)
          stop.abort()
          return []
        }
      },
      { concurrency: options.concurrency },
    )
    if (failures.length > 0) throw failures[0]
    return new Map(blobs.flat())
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
