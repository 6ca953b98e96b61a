import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '../../../__tests__/harness/nix-by-hand.ts'
import { writeTar } from '../../../__tests__/harness/tar-writer.ts'
import { sha256 } from '../../../src/util/digest.ts'
import { repository } from '../../parts/paths.ts'
import type { Contents } from '../contents.ts'
import type { Bench } from '../setting.ts'
import type { PathSpec } from '../stores.ts'
import type { ImageSpec } from './images.ts'
import type { Python } from './python.ts'
import { measureUse, type Use } from './use.ts'

/** What an image can be pushed from, as paths in the machine. */
export type Sources = {
  /** What streamLayeredImage makes its image from. */
  readonly conf: string
  /** What it writes, a docker archive. */
  readonly archive: string
}

/** An image, and what the next commit makes of it. */
export type ImageFiles = Readonly<Record<'image' | 'changed', Sources>>

const store = '/nix/store'
const customisation = join(store, '00000000000000000000000000000000-app-customisation-layer')

/** Makes the image's store paths, tells Nix of them, and writes what the image is made from. */
export async function writeImage(bench: Bench, spec: ImageSpec, contents: Contents): Promise<ImageFiles> {
  const { name, paths, changed } = spec
  await bench.add([...paths, changed], contents)
  const sources = (which: string, paths: readonly PathSpec[]): Sources => ({
    conf: writeConf(bench, `${name}-${which}`, paths),
    archive: `/var/tmp/${name}-${which}.tar`,
  })
  return { image: sources('image', paths), changed: sources('changed', [...paths.slice(0, -1), changed]) }
}

/** Describes an image of store paths, a layer for each, as nixpkgs does. */
export function writeConf(
  { machine }: Bench,
  name: string,
  paths: readonly { readonly name: string }[],
): string {
  const top = machine.path(customisation)
  const tar = writeTar([{ name: './etc/passwd', data: 'root:x:0:0::/:/bin/sh\n' }])
  mkdirSync(top, { recursive: true })
  writeFileSync(join(top, 'layer.tar'), tar)
  writeFileSync(join(top, 'checksum'), sha256(tar).slice('sha256:'.length))
  const conf = join(store, `00000000000000000000000000000000-${name}-conf.json`)
  const date = '1970-01-01T00:00:01+00:00'
  const app = paths.at(-1)?.name ?? ''
  const described = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    config: { Cmd: [join(store, app, 'bin/app')], Env: ['PATH=/bin'] },
    ...{ created: date, mtime: date, os: 'linux', uid: '0', gid: '0', uname: 'root', gname: 'root' },
    ...{ customisation_layer: customisation, from_image: null, repo_tag: 'app:latest', store_dir: store },
    store_layers: paths.map(path => [join(store, path.name)]),
  }
  writeFileSync(machine.path(conf), JSON.stringify(described))
  return conf
}

/**
 * Writes the archive that those need who cannot push from the store. As streamLayeredImage does it: by Python's tarfile,
 * each layer twice. To a file: from a pipe skopeo writes one itself before it begins, which takes no less time.
 * @returns what that took
 */
export function writeArchive({ machine }: Bench, python: Python, { conf, archive }: Sources): Promise<Use> {
  const script = join(repository, '__tests__/flakes/redis/image/stream.py')
  const argv = ['sh', '-c', 'exec "$@" > "$0"', archive, ...python.argv, script, conf]
  return measureUse(machine, async () => {
    await expect(machine.run(argv, { env: { ...machine.env, ...python.env } }))
  })
}
