import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { gzip } from '../../src/gzip/gzip.ts'
import { deflatePool } from '../../src/gzip/pool.ts'
import { startDeflateThreads } from '../../src/gzip/threads.ts'
import { skopeo } from '../harness/skopeo.ts'

const worker = join(import.meta.dirname, '../../src/deflate-thread.ts')

/** Programs in a tar, as in a layer. */
function sampleTar(folder: string): Buffer {
  const file = join(folder, 'layer.tar')
  execFileSync('tar', ['-cf', file, '-C', partsBin, '--dereference', 'busybox', 'runc', 'patchelf'])
  return readFileSync(file)
}

test('readers that are not zlib take every level: those of Go and of busybox', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'gzip-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const tar = sampleTar(folder)
  const threads = startDeflateThreads({ worker, threads: 2, onError: error => assert.fail(error) })
  const pool = deflatePool(threads.connect())
  t.after(async () => {
    pool.close()
    await threads.close()
  })
  for (const level of [1, 5, 9]) {
    const pieces: Uint8Array[] = []
    const file = gzip(pool, { level, onChunk: bytes => void pieces.push(bytes.slice()) })
    await file.write(tar)
    await file.end()
    const packed = Buffer.concat(pieces)
    assert.ok(packed.length < tar.length / 2, `${packed.length} of ${tar.length}`)

    const unpacked = execFileSync(join(partsBin, 'busybox'), ['gunzip', '-c'], {
      input: packed,
      maxBuffer: 2 * tar.length,
    })
    assert.ok(unpacked.equals(tar), `busybox at ${level}`)

    const from = join(folder, `oci-${level}`)
    writeLayout(from, packed, digest(tar))
    const to = join(folder, `dir-${level}`)
    const copy = ['copy', '-q', '--dest-decompress', `oci:${from}`, `dir:${to}`]
    const { code, stderr } = await skopeo(folder, ['--insecure-policy', ...copy])
    assert.equal(code, 0, stderr)
    assert.ok(readFileSync(join(to, digest(tar))).equals(tar), `skopeo at ${level}`)
  }
})

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** An OCI image layout with one layer. */
function writeLayout(folder: string, layer: Buffer, diffId: string): void {
  const blobs = join(folder, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (mediaType: string, bytes: Buffer) => {
    writeFileSync(join(blobs, digest(bytes)), bytes)
    return { mediaType, digest: `sha256:${digest(bytes)}`, size: bytes.length }
  }
  const json = (kind: string, value: object) =>
    blob(`application/vnd.oci.image.${kind}.v1+json`, Buffer.from(JSON.stringify(value)))
  const config = json('config', {
    ...{ architecture: 'amd64', os: 'linux', config: {} },
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
  })
  const layers = [blob('application/vnd.oci.image.layer.v1.tar+gzip', layer)]
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = json('manifest', { schemaVersion: 2, mediaType, config, layers })
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }))
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }))
}
