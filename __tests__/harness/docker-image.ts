import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { partsDebs, readStamp } from '../../script/parts/paths.ts'
import type { Subject } from '../../src/check/model.ts'
import { parseRunConfig } from '../../src/check/run-config.ts'
import { openImage } from '../../src/image/open.ts'
import { openRootFs } from '../../src/image/rootfs/open.ts'
import { sha256 } from '../../src/util/digest.ts'
import { silent } from '../../src/util/log.ts'
import { writeTar } from './tar-writer.ts'

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'

/** The files of sample packages and of what they need, one layer for each; `only` narrows the choice by names. */
export function debLayers(samples: readonly string[], only = /./): Buffer[] {
  const debs = readStamp()?.debs ?? {}
  const files = new Set(samples.flatMap(sample => debs[sample] ?? []).filter(file => only.test(file)))
  return [...files].map(file =>
    execFileSync('dpkg-deb', ['--fsys-tarfile', join(partsDebs, file)], { maxBuffer: 1024 ** 3 }),
  )
}

const digests = new WeakMap<Buffer, string>()

/** Layers are large, and most are in many images. */
function digestOf(layer: Buffer): string {
  const digest = digests.get(layer) ?? sha256(layer)
  digests.set(layer, digest)
  return digest
}

/**
 * What `docker save` would write of an image.
 * @param config as in an image's config: `Entrypoint`, `Env`, …
 * @param sent the layers whose bytes are in it
 */
export function dockerArchive(
  name: string,
  layers: readonly Buffer[],
  config: object,
  sent: readonly Buffer[] = layers,
): Buffer {
  const document = {
    os: 'linux',
    architecture,
    config,
    rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
  }
  const names = layers.map((_, i) => `${i}/layer.tar`)
  const manifest = [{ Config: 'config.json', RepoTags: [`${name}:latest`], Layers: names }]
  return writeTar([
    ...layers.flatMap((data, i) => (sent.includes(data) ? [{ name: names[i] ?? '', data }] : [])),
    { name: 'config.json', data: JSON.stringify(document) },
    { name: 'manifest.json', data: JSON.stringify(manifest) },
  ])
}

/** Opens an archive as the action does before it inspects it. */
export async function inspectedArchive(
  archive: Buffer,
): Promise<AsyncDisposable & { readonly subject: Subject }> {
  const scratch = await mkdtemp(join(tmpdir(), 'inspected-'))
  const path = join(scratch, 'image.tar')
  await writeFile(path, archive)
  const image = await openImage({
    path,
    scratch,
    pathInfo: async () => new Map(),
    now: new Date(0),
    platform: { os: 'linux', architecture },
    env: {},
    log: silent,
  })
  const fs = await openRootFs(image, { scratch })
  const diffIds = image.layers.map(layer => layer.diffId ?? sha256(''))
  const config = parseRunConfig(image.config(diffIds))
  return {
    subject: { fs, config, platform: image.platform, references: new Map() },
    async [Symbol.asyncDispose]() {
      await fs.close()
      await image.close()
      await rm(scratch, { recursive: true, force: true })
    },
  }
}
