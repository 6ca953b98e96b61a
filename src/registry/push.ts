import { availableParallelism } from 'node:os'
import type { Image } from '../image/model.ts'
import { type Digest, sha256 } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import type { Sleep } from '../util/sleep.ts'
import { count, formatBytes } from '../util/text.ts'
import type { RegistryClient } from './client.ts'
import { BlobUnknown } from './failure.ts'
import { layerThreads, type Programs } from './layer-threads.ts'
import { type Blob, memoKey, pushLayers, recallLayer } from './layers.ts'
import { configMediaType, imageManifest, manifestMediaType } from './manifest.ts'
import { missing, withBlobs } from './missing-blobs.ts'
import type { Compression, Descriptor, LayerMemo } from './model.ts'
import { lookAtTags, type TagsBefore } from './published.ts'
import { annotation } from './records.ts'
import { checkTags, putTags } from './tagging.ts'
import { bodyOf } from './transport.ts'

export type PushOptions = {
  readonly client: RegistryClient
  readonly image: Image
  /** sha256 of the config that it was loaded or tested with. @default whatever it has */
  readonly id?: Digest | undefined
  readonly compression: Compression
  /** @default 6 for gzip, 3 for zstd */
  readonly level?: number | undefined
  /** Put on the manifest in this order; may be empty. */
  readonly tags: readonly string[]
  /** What the tags name now. @default it is asked for */
  readonly published?: TagsBefore | undefined
  /** Of the manifest. @default none */
  readonly annotations?: Readonly<Record<string, string>>
  readonly memo: LayerMemo
  /** Called when the registry has the image; it is tagged when what this gives has settled. */
  readonly onPublished?: (image: Published) => void | Promise<void>
  /** The built threads. */
  readonly programs: Programs
  /** An existing directory with room for as many compressed layers as are worked on at once. */
  readonly scratch: string
  readonly log: Log
  /** Layers made at once. @default the number of processors, at least 2 and at most 8 */
  readonly concurrency?: number
  /** Ends the push; each tag is then as it was, or put. */
  readonly signal?: AbortSignal
  readonly sleep?: Sleep
}

/** An image that the registry has by its digest. */
export type Published = {
  readonly digest: Digest
  /** Bytes of the manifest. */
  readonly manifestSize: number
  /** Bytes of the config and of all different compressed layers. */
  readonly size: number
  /** Bytes of the blobs that this push sent. */
  readonly uploaded: number
  /** Whether the registry had no manifest of this digest under this name before. */
  readonly changed: boolean
  /** As in the manifest, lowest first. A repetition of a layer is `present`: it is sent once. */
  readonly layers: readonly Pick<Blob, 'diffId' | 'digest' | 'size' | 'how' | 'recalled'>[]
  /** What the layers are: entries for the next push's `memo`. */
  readonly memo: LayerMemo
}

export type Pushed = Published & {
  /** Those of the tags that named something else before, or nothing. */
  readonly tagged: readonly string[]
}

/** Layers that are being sent while others are made. */
const sending = 3

/**
 * Pushes an image: the blobs that the registry lacks, then the manifest by its digest, then the tags. So a push
 * that ends early leaves the tags as they were. A layer that is known from `memo`, or from a manifest that one of the
 * tags names, is not read unless the registry has lost it; and where all are known and the registry has the manifest,
 * no blob is asked for.
 * @throws UserError when the registry or the disk refuses, or the image is not what it claims to be
 */
export async function pushImage(options: PushOptions): Promise<Pushed> {
  const { client, image, compression, level, tags, log, signal } = options
  const { name } = client.repository
  checkTags(name, tags)
  // First of all, so that a wrong password is found before anything is compressed.
  const published = options.published ?? (await lookAtTags(client, tags, [image.platform], signal))
  // Whoever may push can write annotations: what our own runs remember counts before it.
  const memo = new Map([...published.images.flatMap(({ layers }) => [...layers]), ...options.memo])
  const cores = options.concurrency ?? Math.min(8, Math.max(2, availableParallelism()))
  const threads = layerThreads({ programs: options.programs, compression, cores })
  const tag = (manifest: Buffer) =>
    putTags(client, { tags, published, bytes: manifest, mediaType: manifestMediaType, signal })
  try {
    let result = (await recall()) ?? (await publish())
    await options.onPublished?.(described(result))
    let tagged: readonly string[]
    try {
      tagged = await tag(result.manifest)
    } catch (error) {
      // A registry may lose a blob and keep the manifest, which it then takes under no other name.
      if (!(error instanceof BlobUnknown)) throw error
      log.info(missing(client.repository))
      const { manifest } = result
      result = await publish({ again: true })
      // A layer of which the bytes were remembered wrongly makes it another image.
      if (!result.manifest.equals(manifest)) await options.onPublished?.(described(result))
      tagged = await tag(result.manifest)
    }
    const pushed = described(result)
    log.info(
      `${name}@${pushed.digest} ${pushed.changed ? 'is published' : 'was there before'}: ` +
        `${count(pushed.layers.length, 'layer')}, ${formatBytes(pushed.uploaded)} sent, tags: ${tags.join(' ') || 'none'}`,
    )
    return { ...pushed, tagged }
  } finally {
    await threads.close()
  }

  function described({ manifest, blobs, changed, sent }: Result): Published {
    const layers = image.layers.map(layer => of(blobs, layer.key))
    const different = new Map([configOf(blobs), ...layers].map(({ digest, size }) => [digest, size]))
    return {
      ...{ digest: sha256(manifest), manifestSize: manifest.length, changed, memo: memoOf(blobs) },
      size: sum(different.values()),
      uploaded: sum(sent.values()),
      layers: layers.map(({ diffId, digest, size, how, recalled }, index) => {
        const first = layers.findIndex(layer => layer.digest === digest) === index
        const became = !first ? 'present' : sent.has(digest) ? 'uploaded' : how
        return { diffId, digest, size, how: became, ...(recalled && { recalled }) }
      }),
    }
  }

  /** The image as it is known, if the registry has it. */
  async function recall(): Promise<Result | undefined> {
    const blobs = new Map<string, Blob>()
    for (const layer of image.layers) {
      const known = recallLayer(layer, { memo, compression, level })
      if (known === undefined) return undefined
      blobs.set(layer.key, { ...known, how: 'present', recalled: true })
    }
    const manifest = manifestOf(blobs)
    const digest = sha256(manifest)
    const there = published.images.some(image => image.digest === digest)
    if (!there && (await client.headManifest(digest, signal)) === undefined) return undefined
    return { manifest, blobs, changed: false, sent: new Map() }
  }

  /** @param again whether the registry is known to lack a blob of what it has a manifest of */
  async function publish({ again = false } = {}): Promise<Result> {
    const sent = new Map<Digest, number>()
    let known: LayerMemo = memo
    const put = async (failed: number): Promise<Result> => {
      const trusted = !again && failed === 0
      const held = new Set(trusted ? published.images.flatMap(({ blobs }) => [...blobs]) : [])
      const blobs = await pushLayers(image.layers, {
        ...{ client, compression, level, memo: known, held, threads, log, signal },
        concurrency: threads.most + sending,
        scratch: options.scratch,
      })
      known = new Map([...memo, ...memoOf(blobs)])
      for (const { digest, size, how } of blobs.values()) if (how === 'uploaded') sent.set(digest, size)
      const manifest = manifestOf(blobs)
      const digest = sha256(manifest)
      if ((await client.headManifest(digest, signal)) !== undefined)
        return { manifest, blobs, changed: false, sent }
      const config = configOf(blobs)
      if (!held.has(config.digest) && !(await client.hasBlob(config, signal))) {
        await client.uploadBlob({ ...config, ...bodyOf(config.bytes) }, signal)
        sent.set(config.digest, config.size)
      }
      await client.putManifest(digest, manifest, manifestMediaType, signal)
      if ((await client.getManifest(digest, signal)) === undefined) {
        throw new UserError(
          `${name}: ${client.repository.host} took the manifest ${digest} and does not have it.`,
          { advice: 'Run the job again.' },
        )
      }
      return { manifest, blobs, changed: true, sent }
    }
    return withBlobs(client, { log, sleep: options.sleep, signal }, put)
  }

  function configOf(blobs: Blobs): Descriptor & { readonly bytes: Buffer } {
    const bytes = image.config(image.layers.map(({ key }) => of(blobs, key).diffId))
    const { id = sha256(bytes) } = options
    if (sha256(bytes) !== id) throw changed(name, id, sha256(bytes))
    return { mediaType: configMediaType, digest: sha256(bytes), size: bytes.length, bytes }
  }

  function manifestOf(blobs: Blobs): Buffer {
    const layers = image.layers.map(layer => {
      const { mediaType, digest, size, diffId } = of(blobs, layer.key)
      const annotations = {
        [annotation.layer]: memoKey(layer, compression, level),
        [annotation.diffId]: diffId,
      }
      return { mediaType, digest, size, annotations }
    })
    return imageManifest(configOf(blobs), layers, options.annotations ?? {})
  }

  function memoOf(blobs: Blobs): LayerMemo {
    return new Map(
      image.layers.map(layer => {
        const { diffId, digest, size } = of(blobs, layer.key)
        return [memoKey(layer, compression, level), { diffId, digest, size, repository: name }]
      }),
    )
  }
}

/** By the layers' keys. */
type Blobs = ReadonlyMap<string, Blob>

/** A manifest that the registry has by its digest. */
type Result = {
  readonly manifest: Buffer
  readonly blobs: Blobs
  readonly changed: boolean
  /** Size of each blob that was sent, by digest. */
  readonly sent: ReadonlyMap<Digest, number>
}

function of(blobs: Blobs, key: string): Blob {
  const blob = blobs.get(key)
  if (blob === undefined) throw new Error(`no blob was made of the layer ${key}`)
  return blob
}

/** No manifest is made of it. */
function changed(name: string, tried: Digest, made: Digest): UserError {
  return new UserError(
    `${name}: the image is not the one that was loaded or tested: that was ${tried}, and what is pushed would be ${made}.`,
    {
      advice:
        'What it is made of has changed since, in the Nix store of this machine: run `nix-store --verify --check-contents --repair` there.',
    },
  )
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0)
}
