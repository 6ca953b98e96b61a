import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { startDockerRegistry } from '../../../__tests__/harness/registry/docker-registry.ts'
import type { Bench, Setting } from '../setting.ts'

/** An empty registry, which keeps what it gets in the memory of a machine, so that no disk is measured. */
export type FreshRegistry = AsyncDisposable & {
  /** Without any tag. */
  readonly name: string
  /** Bytes that it has of all blobs and manifests. */
  size(): number
  /** The diffIDs of what is tagged. */
  diffIds(tag: string): Promise<readonly string[]>
}

const types = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]

export async function freshRegistry(setting: Setting, { machine }: Bench): Promise<FreshRegistry> {
  const storage = mkdtempSync(join(machine.path('/var/tmp'), 'registry-'))
  const runtime = mkdtempSync(join(setting.folder, 'registry-'))
  const blobs = join(storage, 'docker/registry/v2/blobs')
  mkdirSync(blobs, { recursive: true })
  const { address, stop } = await startDockerRegistry(undefined, storage, runtime)
  const get = async (what: string) => {
    const answer = await fetch(`http://${address}/v2/org/app/${what}`, {
      headers: { accept: types.join(', ') },
    })
    if (!answer.ok) throw new Error(`${what}: ${answer.status}`)
    return (await answer.json()) as unknown
  }
  return {
    name: `${address}/org/app`,
    size: () =>
      readdirSync(blobs, { recursive: true, encoding: 'utf8' })
        .filter(name => name.endsWith('/data'))
        .reduce((sum, name) => sum + statSync(join(blobs, name)).size, 0),
    async diffIds(tag) {
      const manifest = (await get(`manifests/${tag}`)) as { config: { digest: string } }
      const config = (await get(`blobs/${manifest.config.digest}`)) as { rootfs: { diff_ids: string[] } }
      return config.rootfs.diff_ids
    },
    async [Symbol.asyncDispose]() {
      await stop()
      rmSync(storage, { recursive: true })
      rmSync(runtime, { recursive: true })
    },
  }
}
