import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentsOf } from '../../../src/sbom/contents.ts'
import { withRootFs } from '../rootfs/image.ts'

const file = (name: string) => ({ name, data: name })
const store = '/nix/store'

test('store paths have the layer that a container sees them from, and what else there is counts for its layer', async () => {
  const layers = [
    [file('etc/os-release'), file('bin/sh')],
    [file('nix/store/a-one/bin/one'), file('nix/store/b-two')],
    [file('nix/store/b-two'), { name: 'nix/store/c-link', flag: '2', linkName: 'a-one', mode: 0o777 }],
    [
      { name: 'nix/', flag: '5', mode: 0o755 },
      { name: 'tmp/', flag: '5', mode: 0o1777 },
    ],
    [{ name: 'loop', flag: '2', linkName: '/', mode: 0o777 }],
  ] as const
  assert.deepEqual(await withRootFs(layers, fs => contentsOf(fs, store)), {
    storePaths: [
      { path: '/nix/store/a-one', layer: 1 },
      { path: '/nix/store/b-two', layer: 2 },
      { path: '/nix/store/c-link', layer: 2 },
    ],
    outside: [0, 4],
  })
})

test('what an upper layer deletes is not in the image', async () => {
  const layers = [
    [file('etc/passwd'), file('nix/store/a-one/x'), file('nix/store/b-two')],
    [file('nix/store/.wh.a-one'), file('.wh.etc')],
  ]
  assert.deepEqual(await withRootFs(layers, fs => contentsOf(fs, store)), {
    storePaths: [{ path: '/nix/store/b-two', layer: 0 }],
    outside: [],
  })
})

test('an image without a store has none', async () => {
  assert.deepEqual(await withRootFs([[file('hello')]], fs => contentsOf(fs, store)), {
    storePaths: [],
    outside: [0],
  })
})
