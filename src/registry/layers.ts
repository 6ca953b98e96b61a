import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import pMap from 'p-map'
import { bytesOf } from '../image/layer-tar.ts'
import type { Layer } from '../image/model.ts'
import type { Digest } from '../util/digest.ts'
import type { Log } from '../util/log.ts'
import { formatBytes } from '../util/text.ts'
import type { RegistryClient } from './client.ts'
import type { LayerThreads } from './layer-threads.ts'
import { defaultLevel } from './make-layer.ts'
import type { Compression, Descriptor, KnownLayer, LayerMemo, MadeLayer } from './model.ts'

const layerMediaType: Readonly<Record<Compression, string>> = {
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
}

/** A layer that the registry has as a blob, and what it took. */
export type Blob = MadeLayer & {
  readonly mediaType: string
  readonly how: 'uploaded' | 'mounted' | 'present'
  /** Whether it was not made, but remembered. */
  readonly recalled?: true
}

/** What a layer is remembered by: all that decides its bytes, except the compressor's version. */
export function memoKey(layer: Layer, compression: Compression, level?: number): string {
  return layer.blob === undefined
    ? `${layer.key} ${compression} ${level ?? defaultLevel[compression]}`
    : `${layer.key} as ${layer.blob.digest}`
}

export type LayerOptions = {
  readonly client: RegistryClient
  readonly compression: Compression
  readonly level: number | undefined
  readonly memo: LayerMemo
  /** Blobs that the repository has for certain, since a manifest of it names them. */
  readonly held: ReadonlySet<Digest>
  readonly threads: LayerThreads
  /** Layers worked on at once, those that are being sent included. */
  readonly concurrency: number
  readonly scratch: string
  readonly log: Log
  readonly signal: AbortSignal | undefined
}

/** What is known of a layer before anything of it is read; undefined when it is nothing. */
export function recallLayer(
  layer: Layer,
  { memo, compression, level }: Pick<LayerOptions, 'memo' | 'compression' | 'level'>,
): (KnownLayer & { readonly mediaType: string }) | undefined {
  const known = memo.get(memoKey(layer, compression, level))
  if (known === undefined || (layer.diffId !== undefined && layer.diffId !== known.diffId)) return undefined
  return { ...known, mediaType: layer.blob?.mediaType ?? layerMediaType[compression] }
}

/**
 * Sees to it that the registry has every layer, each different one once, the largest first. One that is known and that
 * the registry has is not read; any other is made in `scratch`, asked for, and sent if it is missing. After the first
 * failure the other layers are stopped too.
 * @returns a blob for each different key
 * @throws UserError
 */
export async function pushLayers(
  layers: readonly Layer[],
  options: LayerOptions,
): Promise<ReadonlyMap<string, Blob>> {
  const { client, compression, level = defaultLevel[compression], held, threads, log } = options
  const different = [...new Map(layers.map(layer => [layer.key, layer])).values()]
  const directory = await mkdtemp(join(options.scratch, 'push-'))
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])])
  const has = async (blob: { readonly digest: Digest; readonly size: number }) =>
    held.has(blob.digest) || (await client.hasBlob(blob, signal))

  const recall = async (layer: Layer): Promise<Blob | undefined> => {
    const known = recallLayer(layer, options)
    if (known === undefined) return undefined
    const { repository, ...blob } = known
    if (await has(blob)) return { ...blob, how: 'present', recalled: true }
    const mounted =
      repository !== client.repository.name && (await client.mountBlob(blob, repository, signal))
    return mounted ? { ...blob, how: 'mounted', recalled: true } : undefined
  }

  const sendOne = async (blob: Descriptor, layer: Layer, open: () => Readable): Promise<Blob['how']> => {
    if (await has(blob)) return 'present'
    await client.uploadBlob({ ...blob, open }, signal)
    log.info(`Sent ${blob.digest}: ${formatBytes(layer.size)} in ${formatBytes(blob.size)}`)
    return 'uploaded'
  }
  /** Layers that are made from different things may turn out to be the same. */
  const sent = new Map<Digest, Promise<Blob['how']>>()
  const send = (blob: Descriptor, layer: Layer, open: () => Readable): Promise<Blob['how']> => {
    const sending = sent.get(blob.digest) ?? sendOne(blob, layer, open)
    sent.set(blob.digest, sending)
    return sending
  }

  const push = async (layer: Layer): Promise<Blob> => {
    const { blob, source } = layer
    const file = join(directory, String(different.indexOf(layer)))
    const made = await threads.make({ layer, compression, level, file })
    if (blob !== undefined && source.kind === 'file') {
      const open = () => Readable.from(bytesOf(source), { objectMode: false })
      return { ...made, mediaType: blob.mediaType, how: await send(blob, layer, open) }
    }
    try {
      const mediaType = layerMediaType[compression]
      const how = await send({ ...made, mediaType }, layer, () => createReadStream(file))
      return { ...made, mediaType, how }
    } finally {
      await rm(file)
    }
  }

  // Errors are kept until every layer has ended: what still runs would write and send behind our back.
  const failures: unknown[] = []
  const blobs = new Map<string, Blob>()
  const attempt = (work: (layer: Layer) => Promise<Blob | undefined>) => async (layer: Layer) => {
    try {
      signal.throwIfAborted()
      const blob = await work(layer)
      if (blob !== undefined) blobs.set(layer.key, blob)
    } catch (error) {
      failures.push(options.signal?.aborted ? options.signal.reason : error)
      stop.abort()
    }
  }
  const closing = () => void threads.close()
  signal.addEventListener('abort', closing)
  try {
    await pMap(different, attempt(recall), { concurrency: 8 })
    const rest = different.filter(({ key }) => !blobs.has(key)).sort((a, b) => b.size - a.size)
    await pMap(rest, attempt(push), { concurrency: options.concurrency })
    if (failures.length > 0) throw failures[0]
    return blobs
  } finally {
    signal.removeEventListener('abort', closing)
    await rm(directory, { recursive: true, force: true })
  }
}
