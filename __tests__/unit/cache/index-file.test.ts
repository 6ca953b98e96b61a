import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { bounds, parseIndex, readIndex } from '../../../src/cache/index-file.ts'
import { renderIndex, writeIndex } from '../../../src/cache/index-writing.ts'
import { hashOf } from '../../../src/cache/model.ts'
import { sha256 } from '../../../src/util/digest.ts'
import { indexes, layerUse, packHash, pathName, sampleIndex, samplePath } from './sample.ts'

const lib = samplePath('lib')
const app = samplePath('app', {
  references: [lib.name, pathName('glibc')],
  pack: packHash('other'),
  deriver: `${pathName('app')}.drv`,
  signatures: ['key:AAAA'],
  ca: 'fixed:r:sha256:0abc',
  cost: 12.5,
  origin: 'source',
})
const index = sampleIndex([lib, app], {
  elsewhere: new Set([pathName('glibc')]),
  layers: new Map([['layer', layerUse('x', 5, 6)]]),
  images: new Map([['image', { digest: sha256('x'), lastUse: 6 }]]),
  tooLarge: new Map([[hashOf(pathName('big')), { size: 7, lastUse: 8 }]]),
  retired: new Map([[packHash('gone'), 9]]),
})

/** The document with something else at a place: `packs.0.paths.1.name`. */
function changed(place: string, value: unknown): string {
  const document = JSON.parse(renderIndex(index))
  const steps = place.split('.')
  const last = steps.pop() ?? ''
  const parent = steps.reduce((at, step) => at[step], document)
  if (value === undefined) delete parent[last]
  else parent[last] = value
  return JSON.stringify(document)
}

/** Where `lib` and `app` stand in the document. */
const [libPack, appPack] = packHash('pack') < packHash('other') ? [0, 1] : [1, 0]
const [atLib, atApp] = [`packs.${libPack}.paths.0`, `packs.${appPack}.paths.0`]

test('what is written is read back', () => {
  assert.deepEqual(parseIndex(renderIndex(index)), { index, problem: undefined })
  fc.assert(
    fc.property(indexes(), made => {
      const { index: read, problem } = parseIndex(renderIndex(made))
      assert.equal(problem, undefined)
      assert.deepEqual(read?.paths, made.paths)
      assert.deepEqual(
        [read?.packs, read?.elsewhere, read?.layers, read?.images],
        [made.packs, made.elsewhere, made.layers, made.images],
      )
    }),
  )
})

test('the text does not depend on the order in which the index was put together', () => {
  fc.assert(
    fc.property(indexes(), fc.infiniteStream(fc.nat()), (made, numbers) => {
      const shuffled = <T>(items: Iterable<T>): T[] =>
        [...items]
          .map(item => [numbers.next().value ?? 0, item] as const)
          .sort(([a], [b]) => a - b)
          .map(([, item]) => item)
      const other = {
        packs: new Map(shuffled(made.packs)),
        paths: new Map(shuffled(made.paths)),
        elsewhere: new Set(shuffled(made.elsewhere)),
        layers: new Map(shuffled(made.layers)),
        images: new Map(shuffled(made.images)),
        recent: new Set(shuffled(made.recent)),
        tooLarge: new Map(shuffled(made.tooLarge)),
        retired: new Map(shuffled(made.retired)),
      }
      assert.equal(renderIndex(other), renderIndex(made))
    }),
  )
})

test('a document that is not an index of this version is not used', () => {
  for (const [place, value] of [
    ['version', 2],
    ['version', undefined],
    ['storeDir', '/home/me/store'],
    ['packs', {}],
    ['packs.0.hash', '../../etc'],
    ['packs.0.hash', packHash('x').toUpperCase()],
    ['packs.0.size', -1],
    ['packs.0.size', '1'],
    ['packs.0.size', 1e300],
    ['packs.0.created', null],
    ['packs.0.paths', 'all'],
    ['elsewhere', ['/etc/passwd']],
    ['layers.0.digest', 'sha256:0'],
    ['layers.0.size', 0.5],
    ['layers.0.diffId', 'sha256:0'],
    ['layers.0.repository', 1],
    ['images.0.digest', 'sha256:0'],
    ['tooLarge.0.hash', '../x'],
    ['tooLarge.0.size', -1],
    ['retired.0.hash', 'x'],
    ['retired.0.time', null],
  ] as const) {
    const { index: read, problem } = parseIndex(changed(place, value))
    assert.equal(read, undefined, place)
    assert.match(problem ?? '', /^the index is not one that this version reads \(at [\w.]+\)$/, place)
  }
  for (const text of ['', '{', 'null', '[]', '"index"', '1']) {
    assert.equal(parseIndex(text).index, undefined, text)
  }
})

test('an index of before there was all that is one of this version', () => {
  const { tooLarge: _, retired: __, ...before } = JSON.parse(renderIndex(index))
  const { index: read, problem } = parseIndex(JSON.stringify(before))
  assert.deepEqual([read?.paths, problem], [index.paths, undefined])
  assert.deepEqual([read?.tooLarge.size, read?.retired.size], [0, 0])
})

test('a path that is not one is left out, with what refers to it', () => {
  for (const [field, value] of [
    ['name', '../../../etc/passwd'],
    ['name', `${lib.name}/../x`],
    ['name', `${lib.name}\nSig: x`],
    ['name', lib.name.replace(/^./, 'e')],
    ['name', `${hashOf(lib.name)}-${'x'.repeat(212)}`],
    ['narHash', 'x'],
    ['narSize', -1],
    ['narSize', Number.MAX_VALUE],
    ['references', lib.name],
    ['references', [hashOf(lib.name)]],
    ['references', `${hashOf(lib.name)} `],
    ['references', ` ${hashOf(lib.name)}`],
    ['references', `${hashOf(lib.name)}${hashOf(lib.name)}`],
    [
      'references',
      Array(bounds.references + 1)
        .fill(hashOf(lib.name))
        .join(' '),
    ],
    ['deriver', '/nix/store/x'],
    ['signatures', ['a:AAAA\nURL: x']],
    ['ca', 'fixed:r:sha256:x\nURL: y'],
    ['fileHash', '../nix-cache-info'],
    ['fileSize', null],
    ['lastUse', undefined],
    ['origin', 'stolen'],
    ['cost', 'much'],
  ] as const) {
    const { index: read, problem } = parseIndex(changed(`${atLib}.${field}`, value))
    assert.deepEqual([...(read?.paths ?? [])], [], field)
    assert.equal(problem, '2 paths of the index cannot be used', field)
  }
})

test('a path is left out whose reference is nowhere, one that is there twice counts once', () => {
  const read = parseIndex(changed(`${atApp}.references`, hashOf(pathName('nowhere'))))
  assert.deepEqual([...(read.index?.paths.keys() ?? [])], [hashOf(lib.name)])
  assert.equal(read.problem, '1 path of the index cannot be used')
  const document = JSON.parse(renderIndex(index))
  const twice = parseIndex(changed(atApp, document.packs[libPack].paths[0]))
  assert.deepEqual(
    [...(twice.index?.paths.values() ?? [])].map(({ name, pack }) => [name, pack]),
    [[lib.name, document.packs[0].hash]],
  )
})

test('a pack with a key that is not its own is left out', () => {
  const read = parseIndex(changed(`packs.${libPack}.key`, 'nia1-index-x86_64-linux'))
  assert.deepEqual([...(read.index?.packs.keys() ?? [])], [packHash('other')])
  assert.equal(read.problem, '2 paths of the index cannot be used')
})

test('paths that refer to each other in a circle are left out: Nix would crash', () => {
  const self = samplePath('self', { references: [pathName('self')] })
  const one = samplePath('one', { references: [pathName('one'), pathName('two')] })
  const two = samplePath('two', { references: [pathName('one')] })
  const { index, problem } = parseIndex(renderIndex(sampleIndex([self, one, two])))
  assert.deepEqual([...(index?.paths.values() ?? [])], [self])
  assert.match(problem ?? '', /^2 paths of the index cannot be used/)
})

test('names that every object has are names like any other', () => {
  const layers = new Map(
    ['__proto__', 'constructor'].map(key => [key, index.layers.get('layer') ?? assert.fail()]),
  )
  assert.deepEqual(parseIndex(renderIndex({ ...index, layers })).index?.layers, layers)
})

test('whatever is read, nothing is thrown and what is given is closed', () => {
  const text = renderIndex(index)
  const spoilt = fc
    .tuple(fc.nat(text.length), fc.nat(200), fc.oneof(fc.string(), fc.json()))
    .map(([at, length, other]) => text.slice(0, at) + other + text.slice(at + length))
  fc.assert(
    fc.property(fc.oneof(spoilt, fc.json()), something => {
      const { index: read } = parseIndex(something)
      for (const path of read?.paths.values() ?? []) {
        assert.ok(read?.packs.has(path.pack))
        for (const name of path.references)
          assert.ok(read?.paths.has(hashOf(name)) || read?.elsewhere.has(name))
      }
    }),
    { numRuns: 2000 },
  )
})

test('a file that is missing, cut short or enormous is a problem, not an exception', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'index-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'index.json')
  assert.match((await readIndex(file)).problem ?? '', /^the index cannot be read: ENOENT/)
  await writeIndex(file, index)
  assert.deepEqual(await readIndex(file), { index, problem: undefined })
  truncateSync(file, 100)
  assert.equal((await readIndex(file)).problem, 'the index is not JSON')
  writeFileSync(file, '')
  truncateSync(file, 10 * 1024 ** 3)
  assert.match((await readIndex(file)).problem ?? '', /^the index is too large/)
})
