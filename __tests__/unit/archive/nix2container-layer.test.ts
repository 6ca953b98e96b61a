import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  archiveNix2containerLayer,
  type Nix2containerPath,
  sizeOfNix2containerLayer,
} from '../../../src/image/archive/nix2container-layer.ts'
import { UserError } from '../../../src/util/errors.ts'
import { nix2containerCases } from '../../fixtures/trees/cases.ts'
import { type Golden, goldenFile, headOf, sumOf } from '../../fixtures/trees/golden.ts'
import { pathsOf, type Tree, temporaryTree, trees } from '../../fixtures/trees/trees.ts'

const golden: Golden = JSON.parse(readFileSync(goldenFile, 'utf8'))

test('every recorded archive has its case', () => {
  assert.deepEqual(Object.keys(golden.nix2container), Object.keys(nix2containerCases))
})

for (const [name, { tree, paths }] of Object.entries(nix2containerCases))
  test(`a layer is what nix2container writes: ${name}`, async () => {
    await using planted = await temporaryTree(tree)
    const expected = golden.nix2container[name]
    assert.equal(sizeOfNix2containerLayer(paths, planted.root), expected?.size)
    if (expected?.head !== undefined) {
      assert.equal(headOf(archiveNix2containerLayer(paths, planted.root)), expected.head)
      return
    }
    assert.deepEqual(sumOf([...archiveNix2containerLayer(paths, planted.root)]), expected)
  })

// The digests that its own tests expect, of the trees in its folder data/.
const data: Tree = new Map([
  ['/nix/empty', { file: '' }],
  ['/data/tar-directory/file1', { file: 'content file1', mode: 0o644 }],
  ['/data/tar-directory/symlink', { link: 'file1' }],
  ['/data/layer1/file1', { file: '', mode: 0o644 }],
])
const perm = { regex: '.*file1', mode: '0641', uid: 0, gid: 0, uname: '', gname: '' }
const published: readonly (readonly [string, Nix2containerPath, number])[] = [
  [
    '1ea63d00b937dc24c711265b80444cc9e7e63751fb7f349b160be61d31381983',
    { path: '../data/tar-directory' },
    4096,
  ],
  [
    'cc45bd46eca903b0900ebb997dffd5778904dca9ec02e7375dd1e653dfb61e2e',
    { path: '../data/layer1/file1' },
    3072,
  ],
  [
    'adf74a52f9e1bcd7dab77193455fa06743b979cf5955148010e5becedba4f72d',
    { path: '../data/layer1/file1', options: { rewrite: { regex: '', repl: '' }, perms: [perm] } },
    3072,
  ],
]
for (const [sha256, path, size] of published)
  test(`a layer has the digest that nix2container's own tests expect: ${sha256.slice(0, 8)}`, async () => {
    await using planted = await temporaryTree(data)
    assert.deepEqual(sumOf(archiveNix2containerLayer([path], `${planted.root}/nix/`)), { sha256, size })
  })

const [first = '', second = ''] = pathsOf(trees.merged)
const toRoot = (perms: readonly (typeof perm)[] = []) => ({
  rewrite: { regex: '^/nix/store/[^/]*', repl: '' },
  perms,
})

async function refusal(tree: Tree, paths: readonly Nix2containerPath[]): Promise<string> {
  await using planted = await temporaryTree(tree)
  try {
    archiveNix2containerLayer(paths, planted.root).next()
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    return error.message
  }
  throw new assert.AssertionError({ message: 'It was archived' })
}

test('two files that would be at the same place are refused if they differ', async () => {
  const paths = [first, second].map(path => ({ path, options: toRoot() }))
  for (const other of [{ file: 'two', mode: 0o644 }, { file: 'three' }, { link: 'two' }]) {
    const tree = new Map([...trees.merged, [`${second}/share/both`, other]])
    const message = `${first}/share/both and ${second}/share/both would both be /share/both in the image, and they differ.`
    assert.equal(await refusal(tree, paths), message)
  }
  // A link has the permissions 0777 and no size.
  const alike = new Map([
    ...trees.merged,
    [`${first}/share/both`, { file: '', mode: 0o777 }],
    [`${second}/share/both`, { link: 'two' }],
  ])
  assert.match(await refusal(alike, paths), /would both be \/share\/both in the image/)
  const differing = [
    { path: first, options: toRoot([perm]) },
    { path: second, options: toRoot() },
  ]
  assert.match(await refusal(trees.merged, differing), /would both be \/bin in the image/)
})

test('what would mean something else is refused', async () => {
  const mode = { path: first, options: toRoot([{ ...perm, regex: '', mode: 'u+x' }]) }
  assert.equal(
    await refusal(trees.merged, [mode]),
    `The mode "u+x" of a layer's perms is not an octal number.`,
  )
  const regexp = { path: first, options: { ...toRoot(), rewrite: { regex: '(?i)NIX', repl: '' } } }
  assert.match(
    await refusal(trees.merged, [regexp]),
    /regular expression "\(\?i\)NIX" .* not supported at "\(\?i\)NIX"/,
  )
})
