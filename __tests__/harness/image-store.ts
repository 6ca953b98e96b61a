import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Image } from '../../src/image/model.ts'
import { openImage } from '../../src/image/open.ts'
import { UserError } from '../../src/util/errors.ts'
import { silent } from '../../src/util/log.ts'

/** A folder with store paths in it, and images that are made from them. */
export type ImageStore = {
  /** The store, and beside it what no image may name. */
  readonly directory: string
  readonly store: string
  /** Of the valid paths: `one`, `two` and `three`. */
  readonly narHashes: Map<string, string>
  /** Writes a file into the store, and gives its path. */
  plant(name: string, data: string | Uint8Array, mode?: number): string
  /** Opens a path of the store. */
  open(name: string, now?: Date): Promise<Image>
  /** Sees an image refused, with nothing left behind, for what is wrong with it. */
  refused(name: string, message: RegExp): Promise<void>
}

const amd64 = { os: 'linux', architecture: 'amd64' }

export function imageStore(t: TestContext): ImageStore {
  const directory = mkdtempSync(join(tmpdir(), 'image-store-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const [store, scratch] = [join(directory, 'store'), join(directory, 'scratch')]
  mkdirSync(store)
  mkdirSync(scratch)
  const narHashes = new Map(['one', 'two', 'three'].map(name => [join(store, name), 'sha256-same']))
  const pathInfo = async (paths: readonly string[]) => {
    // Nix would take anything else for a flake.
    for (const path of paths) assert.match(path.replace(store, ''), /^\/[a-z]+$/)
    return new Map(
      paths.flatMap(path =>
        narHashes.has(path) ? [[path, { narHash: narHashes.get(path) ?? '', narSize: 7 }]] : [],
      ),
    )
  }
  const open = (name: string, now = new Date(0)) =>
    openImage({ path: join(store, name), scratch, env: {}, log: silent, now, pathInfo, platform: amd64 })
  return {
    ...{ directory, store, narHashes, open },
    plant(name, data, mode = 0o644) {
      const path = join(store, name)
      mkdirSync(dirname(path), { recursive: true })
      rmSync(path, { recursive: true, force: true })
      writeFileSync(path, data, { mode })
      return path
    },
    async refused(name, message) {
      const descriptors = readdirSync('/proc/self/fd').length
      await assert.rejects(open(name), (error: unknown) => {
        assert.ok(error instanceof UserError, String(error))
        assert.match(error.message, message)
        assert.ok(error.advice)
        return true
      })
      assert.deepEqual(readdirSync(scratch), [])
      assert.equal(readdirSync('/proc/self/fd').length, descriptors)
    },
  }
}
