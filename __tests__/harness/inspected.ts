import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rule, RunConfig, Subject } from '../../src/check/model.ts'
import type { Image } from '../../src/image/model.ts'
import { openRootFs } from '../../src/image/rootfs/open.ts'
import { type TarInput, writeTar } from './tar-writer.ts'

/** A file by its text, a link by where it leads, or what tar says of it. A path that ends in `/` is a directory. */
export type Files = Readonly<
  Record<string, string | Uint8Array | { readonly link: string } | Omit<TarInput, 'name'>>
>

export type Inspected = AsyncDisposable & { readonly subject: Subject }

/** Members of a layer that has these files. */
export function membersOf(files: Files): TarInput[] {
  return Object.entries(files).map(([path, what]) => {
    const name = path.slice(1)
    if (typeof what === 'string' || what instanceof Uint8Array) {
      return path.endsWith('/') ? { name, flag: '5', mode: 0o755 } : { name, data: what, mode: modeOf(what) }
    }
    if ('link' in what) return { name, flag: '2', linkName: what.link, mode: 0o777 }
    return path.endsWith('/') ? { name, flag: '5', mode: 0o755, ...what } : { name, ...what }
  })
}

/** Programs are executable without being told so. */
function modeOf(data: string | Uint8Array): number {
  const head = Buffer.from(data.slice(0, 4)).toString('latin1')
  return head.startsWith('#!') || head === '\x7fELF' ? 0o755 : 0o644
}

/** An image of one layer, to be inspected. */
export async function inspected(
  files: Files,
  config: Partial<Omit<RunConfig, 'env'>> & { readonly env?: Readonly<Record<string, string>> } = {},
  references: Readonly<Record<string, readonly string[]>> = {},
): Promise<Inspected> {
  const scratch = await mkdtemp(join(tmpdir(), 'inspected-'))
  const file = join(scratch, 'layer.tar')
  const bytes = writeTar(membersOf(files))
  await writeFile(file, bytes)
  const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' }
  const image: Image = {
    kind: 'docker-archive',
    config: () => Buffer.alloc(0),
    platform,
    layers: [
      {
        key: 'layer',
        diffId: undefined,
        size: bytes.length,
        source: { kind: 'file', file, offset: 0, length: bytes.length, packing: undefined },
      },
    ],
    close: async () => {},
  }
  const fs = await openRootFs(image, { scratch })
  const none = { entrypoint: [], cmd: [], healthcheck: undefined, user: '', workingDir: '', volumes: [] }
  const { env = {}, ...rest } = config
  return {
    subject: {
      fs,
      platform,
      config: { ...none, ...rest, env: new Map(Object.entries(env)) },
      references: new Map(Object.entries(references)),
    },
    async [Symbol.asyncDispose]() {
      await fs.close()
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

/** What a rule finds in an image, each as `rule severity place`. */
export async function findingsOf(rule: Rule, ...image: Parameters<typeof inspected>): Promise<string[]> {
  await using made = await inspected(...image)
  return [...rule.inspect(made.subject)].map(({ rule, severity, place }) => `${rule} ${severity} ${place}`)
}
