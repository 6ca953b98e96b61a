import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import pMap from '../vendor/p-map.js'

import { formatBytes } from '../util/text.js'

import { compressLayer, defaultLevel } from './compress.js'

/** What a compressed layer is remembered by: all that decides its bytes, except the compressor's version. */
export function memoKey(diffId, compression, level) {
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
export async function pushLayers(layers, options) {
  const { client, compression, level = defaultLevel[compression], memo, log } = options
  const different = [...new Map(layers.map(layer => [layer.diffId, layer])).values()]
  const directory = await mkdtemp(join(options.scratch, 'push-'))
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])])

  const push = async layer => {
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
  const failures = []
  try {
    const blobs = await pMap(
      different,
      async layer => {
        try {
          signal.throwIfAborted()
          return [[layer.diffId, await push(layer)]]
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
