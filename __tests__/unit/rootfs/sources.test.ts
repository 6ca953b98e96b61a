import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  archiveNix2containerLayer,
  type Nix2containerPath,
} from '../../../src/image/archive/nix2container-layer.ts'
import { archiveStoreLayer } from '../../../src/image/archive/store-layer.ts'
import type { LayerSource } from '../../../src/image/model.ts'
import { UserError } from '../../../src/util/errors.ts'
import { pathsOf, temporaryTree, trees } from '../../fixtures/trees/trees.ts'
import type { TarInput } from '../../harness/tar-writer.ts'
import { listing, withRootFs } from './image.ts'

const { huge: _, ...some } = trees

/** The archive that a layer is pushed as. It is held against the original tools elsewhere. */
function archived(source: LayerSource): Buffer {
  assert.ok(source.kind !== 'file')
  return Buffer.concat([
    ...(source.kind === 'store' ? archiveStoreLayer(source.layer) : archiveNix2containerLayer(source.paths)),
  ])
}

const store = (paths: readonly string[], uid = 0): LayerSource => ({
  kind: 'store',
  layer: { paths, mtime: 1, uid, gid: uid, uname: 'root', gname: 'root' },
})

/** A way to make a layer of some paths. */
const makers: Readonly<Record<string, (paths: readonly string[], root: string) => LayerSource>> = {
  'of the store': paths => store(paths),
  "of the store, somebody's": paths => store(paths, 1000),
  'of nix2container': paths => ({ kind: 'nix2container', paths: paths.map(path => ({ path })) }),
  'of nix2container, moved to the root': (paths, root) => ({
    kind: 'nix2container',
    paths: paths.map((path): Nix2containerPath => {
      const regex = `^${root}/nix/store/[^/]*`
      const perms = [{ regex: 'd|^a', mode: '4711', uid: 7, gid: 8, uname: '', gname: '' }]
      return { path, options: { rewrite: { regex, repl: '/moved' }, perms } }
    }),
  }),
  'of nix2container, moved in part': paths => ({
    kind: 'nix2container',
    paths: paths.map(path => ({
      path,
      options: { rewrite: { regex: '/share', repl: '/elsewhere' }, perms: [] },
    })),
  }),
  'of nix2container, as it is and moved': ([path = '', ...others], root) => ({
    kind: 'nix2container',
    paths: [
      { path },
      ...others.map(path => ({ path })),
      { path, options: { rewrite: { regex: `^${root}/nix`, repl: '/new' }, perms: [] } },
    ],
  }),
}

for (const [how, make] of Object.entries(makers))
  test(`a layer ${how} has the files of its archive, between others`, async () => {
    for (const [name, tree] of Object.entries(some)) {
      // What else has the same name there would be refused.
      if (name !== 'merged' && how.endsWith('root')) continue
      await using planted = await temporaryTree(tree)
      const paths = pathsOf(tree).map(path => planted.root + path)
      const source = make(paths, planted.root)
      const first = String(paths[0]).slice(1)
      const below: TarInput[] = [
        { name: `${first}/bin/one`, data: 'hidden' },
        { name: `${first}/old`, data: 'old', mode: 0o600 },
        { name: 'nix', flag: '5', mode: 0o700, uid: 5 },
        { name: '.', flag: '5', mode: 0o711, uid: 6 },
      ]
      const above: TarInput[] = [
        { name: `${first}/bin/added`, data: 'added' },
        { name: `${first}/share/.wh.both` },
        { name: `${first}/lib/.wh..wh..opq` },
        { name: `${first}/modes/.wh.f444` },
        { name: 'moved/.wh.share' },
      ]
      for (const layers of [[source], [below, source, above], [source, source, above]]) {
        const seen = await withRootFs(layers, listing)
        const expected = await withRootFs(
          layers.map(one => (one === source ? archived(source) : one)),
          listing,
        )
        assert.deepEqual(seen, expected, name)
        assert.ok(seen.size >= tree.size, name)
      }
    }
  })

test('of the store nothing is read that is not asked for', async () => {
  await using planted = await temporaryTree(trees.usual)
  const [first = ''] = pathsOf(trees.usual).map(path => planted.root + path)
  const gone = `${planted.root}/gone`
  for (const source of [
    store([gone, first]),
    { kind: 'nix2container', paths: [{ path: gone }, { path: first }] } as const,
  ])
    await withRootFs([source, [{ name: `${first.slice(1)}/new`, data: '' }]], fs => {
      assert.equal(fs.find(`${first}/bin/hi`)?.path, `${first}/bin/hello`)
      // Whoever asks for it hears of it.
      assert.throws(
        () => fs.find(gone),
        (error: unknown) =>
          error instanceof UserError && /gone cannot be read for the image/.test(error.message),
      )
    })
})
