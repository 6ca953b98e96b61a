import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import {
  archiveNix2containerLayer,
  type Nix2containerPath,
} from '../../src/image/archive/nix2container-layer.ts'
import { dockerArchive } from '../../src/image/docker-save.ts'
import type { Image } from '../../src/image/model.ts'
import { openRootFs } from '../../src/image/rootfs/open.ts'
import { sha256 } from '../../src/util/digest.ts'
import { indexTar, type TarMember } from '../../src/util/tar.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { type ImageStore, imageStore } from '../harness/image-store.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { setUpPodman } from '../harness/podman.ts'
import { type TarInput, writeTar } from '../harness/tar-writer.ts'

const file = (name: string, rest: Partial<TarInput> = {}): TarInput => ({ name, data: name, ...rest })
const directory = (name: string, rest: Partial<TarInput> = {}): TarInput => ({
  ...{ name: `${name}/`, flag: '5', mode: 0o755 },
  ...rest,
})
const link = (name: string, linkName: string): TarInput => ({ name, flag: '2', linkName, mode: 0o777 })

/** Layers as tools write them, and as few do. Of what engines do not agree on there is nothing in them. */
const layers: readonly (readonly TarInput[])[] = [
  [
    directory('.', { mode: 0o755 }),
    ...[directory('./etc'), file('./etc/passwd'), file('./etc/shadow', { mode: 0o640, gid: 42 })],
    ...[directory('tmp', { mode: 0o1777 }), directory('root', { mode: 0o700 })],
    ...[directory('usr'), directory('usr/bin'), file('usr/bin/sh', { mode: 0o755 }), link('bin', 'usr/bin')],
    file('usr/bin/su', { mode: 0o4755 }),
    { name: 'usr/bin/again', flag: '1', linkName: 'usr/bin/su', mode: 0o4755 },
    ...[
      directory('home/app', { mode: 0o2750, uid: 1000, gid: 100 }),
      file('home/app/.rc', { uid: 1000, gid: 100 }),
    ],
    ...[file('implied/directories/x'), file('/absolute/x'), file('dots/./and//slashes/../x')],
    ...[
      directory('gone'),
      file('gone/x'),
      file('gone/y/z'),
      directory('half', { mode: 0o750 }),
      file('half/a'),
      file('half/b'),
    ],
    ...[
      directory('opaque', { mode: 0o710 }),
      file('opaque/old'),
      directory('opaque/kept'),
      file('opaque/kept/old'),
    ],
    ...[file('file-then-directory'), directory('directory-then-file'), file('directory-then-file/x')],
    ...[link('link-then-file', 'etc/passwd'), link('link-then-directory', 'etc'), file('file-then-link')],
    ...[directory('directory-then-link'), file('directory-then-link/x')],
    ...[link('circle', 'circle'), link('dangling', '/nowhere/at/all'), link('up', '../../../etc')],
    file('plain', { mode: 0o600 }),
    ...[file(`${'long/'.repeat(30)}name`), file('größe-日本'), link('far', 'x'.repeat(150))],
    ...[directory('again', { mode: 0o700, uid: 5 }), file('again/old')],
    { name: 'pipe', flag: '6', mode: 0o600 },
  ],
  [
    ...[file('.wh.gone'), file('half/.wh.a'), file('half/c')],
    ...[directory('opaque', { mode: 0o711 }), file('opaque/.wh..wh..opq'), file('opaque/new')],
    ...[directory('opaque/kept'), file('opaque/kept/new')],
    ...[directory('file-then-directory', { mode: 0o700 }), file('file-then-directory/x')],
    ...[
      file('directory-then-file'),
      file('link-then-file', { data: 'new' }),
      link('file-then-link', 'plain'),
    ],
    ...[directory('link-then-directory'), file('link-then-directory/x'), link('directory-then-link', 'tmp')],
    ...[file('.wh.again'), directory('again', { mode: 0o755 }), file('again/new')],
    directory('root', { mode: 0o750, uid: 7 }),
    file('.wh.never-was'),
  ],
  [
    ...[file('again/newer'), { name: 'again/same', flag: '1', linkName: 'again/newer' }],
    ...[directory('gone', { mode: 0o701 }), file('gone/back')],
    file('usr/bin/.wh.su'),
  ],
]

async function archiveImage(store: ImageStore): Promise<Image> {
  const tars = layers.map(layer => writeTar(layer))
  const config = JSON.stringify({
    ...{ os: 'linux', architecture: 'amd64', config: { Cmd: ['/bin/sh'] } },
    rootfs: { type: 'layers', diff_ids: tars.map(sha256) },
  })
  // As base images from registries have them, some of its layers are packed.
  const data = tars.map((tar, i) => (i === 1 ? gzipSync(tar) : tar))
  const Layers = data.map((_, i) => `${i}/layer.tar`)
  store.plant(
    'archive.tar',
    writeTar([
      ...data.map((data, i) => ({ name: Layers[i] ?? '', data })),
      ...[
        { name: 'config.json', data: config },
        { name: 'manifest.json', data: JSON.stringify([{ Config: 'config.json', RepoTags: null, Layers }]) },
      ],
    ]),
  )
  return await store.open('archive.tar')
}

/** Store paths `one` and `two`. */
async function plantPaths({ store }: ImageStore): Promise<readonly string[]> {
  for (const name of ['one', 'two']) {
    const root = join(store, name)
    for (const folder of ['share/doc', 'etc']) await mkdir(join(root, folder), { recursive: true })
    await writeFile(join(root, 'etc/motd'), name)
    await writeFile(join(root, 'program'), name, { mode: 0o555 })
    await writeFile(join(root, 'share/doc/größe'), '')
    await symlink('../program', join(root, 'share/link'))
  }
  return ['one', 'two'].map(name => join(store, name))
}

async function streamImage(store: ImageStore): Promise<Image> {
  const paths = await plantPaths(store)
  const [one = ''] = paths.map(path => path.slice(1))
  const top = writeTar([
    ...[directory('./'), file('./etc/passwd'), directory('./tmp', { mode: 0o1777 }), link('./bin', '/bin')],
    ...[directory(one), directory(`${one}/share`), file(`${one}/share/.wh.link`), file(`${one}/share/added`)],
  ])
  store.plant('customisation/layer.tar', top)
  store.plant('customisation/checksum', sha256(top).slice(7))
  const date = '1970-01-01T00:00:01+00:00'
  const conf = {
    ...{ architecture: 'amd64', config: { Cmd: ['/bin/sh'] }, created: date, mtime: date, from_image: null },
    ...{ customisation_layer: join(store.store, 'customisation'), store_layers: paths.map(path => [path]) },
    ...{ uid: '1000', gid: '100', uname: 'app', gname: 'users' },
  }
  store.plant('image-conf.json', JSON.stringify(conf))
  return await store.open('image-conf.json')
}

async function nix2containerImage(store: ImageStore): Promise<Image> {
  const paths = await plantPaths(store)
  const [one = ''] = paths
  const perms = [{ regex: 'program', mode: '4711', uid: 7, gid: 8, uname: '', gname: '' }]
  const described: (readonly Nix2containerPath[])[] = [
    paths.map(path => ({ path })),
    [{ path: one, options: { rewrite: { regex: `^${one}`, repl: '' }, perms } }],
  ]
  const layers = described.map(paths => {
    const tar = Buffer.concat([...archiveNix2containerLayer(paths)])
    const digest = sha256(tar)
    const mediatype = 'application/vnd.oci.image.layer.v1.tar'
    return { ...{ digest, diff_ids: digest, size: tar.length }, paths, mediatype, History: {} }
  })
  const image = { version: 1, arch: 'amd64', 'image-config': { Cmd: ['/bin/sh'] }, layers }
  store.plant('image.json', JSON.stringify(image))
  return await store.open('image.json')
}

/** What engines put into a container themselves. */
const engines = /^\/(\.dockerenv|dev|proc|sys|run|etc\/(hostname|hosts|mtab|resolv\.conf))(\/|$)/

/** Everything that an exported container has, in a line each. */
async function exported(path: string): Promise<string[]> {
  const bytes = await readFile(path)
  const read = async (position: number, length: number) => bytes.subarray(position, position + length)
  const lines = new Map<string, string>()
  const pathOf = (name: string) => posix.join('/', name).replace(/(.)\/$/, '$1')
  for (const member of await indexTar({ name: path, size: bytes.length, read })) {
    const { name, type, offset, size, linkName } = member
    const data = type === 'symlink' ? linkName : bytes.toString('utf8', offset, offset + size)
    lines.set(pathOf(name), (type === 'hardlink' && lines.get(pathOf(linkName))) || line(member, data))
  }
  return [...lines]
    .filter(([path]) => path !== '/' && !engines.test(path))
    .map(words => words.join(' '))
    .sort()
}

/** A symlink has whatever mode the system gives it. */
function line(
  { type, mode, uid, gid }: Pick<TarMember, 'mode' | 'uid' | 'gid'> & { readonly type: string },
  data: string,
): string {
  return `${type} ${type === 'symlink' ? '' : mode.toString(8)} ${uid}:${gid} ${data}`
}

async function viewed(image: Image, scratch: string): Promise<string[]> {
  const fs = await openRootFs(image, { scratch })
  const lines = [...fs.named(() => true)]
    .filter(({ path }) => !engines.test(path))
    .map(found => {
      const { type, target } = found.entry
      return `${found.path} ${line(found.entry, type === 'file' ? fs.read(found).toString() : target)}`
    })
  await fs.close()
  return lines.sort()
}

const images = {
  'docker archive': archiveImage,
  'stream conf': streamImage,
  nix2container: nix2containerImage,
}

suite('root file system', { skip: Machine.unavailable() ?? Machine.withoutUsers() }, () => {
  for (const engine of ['docker', 'podman'] as const)
    test(`the files of an image are those that ${engine} has of it`, async t => {
      await using machine = await Machine.create({ user: 'root' })
      const podman = engine === 'podman' ? await setUpPodman(machine) : {}
      const run =
        engine === 'docker'
          ? await startDockerd(machine)
          : (...args: string[]) =>
              expect(machine.run(['podman', ...args], { env: { ...machine.env, ...podman } }))
      for (const [kind, make] of Object.entries(images)) {
        const store = imageStore(t)
        const image = await make(store)
        const name = `localhost/${kind.replace(' ', '-')}:latest`
        const chunks: Uint8Array[] = []
        for await (const chunk of dockerArchive(image, [name], () => {})) chunks.push(Buffer.from(chunk))
        await machine.plant('/tmp/image.tar', Buffer.concat(chunks))
        await run('load', '--input', '/tmp/image.tar')
        const container = (await run('create', name)).trim()
        await run('export', '--output', '/tmp/export.tar', container)
        assert.deepEqual(
          await viewed(image, store.directory),
          await exported(machine.path('/tmp/export.tar')),
          kind,
        )
        await image.close()
      }
    })
})
