import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { bounds, readIndex } from '../../../src/cache/index-file.ts'
import { renderIndex, writeIndex } from '../../../src/cache/index-writing.ts'
import { hashOf } from '../../../src/cache/model.ts'
import { indexes, layerUse, now, packHash, pathName, sampleIndex, samplePath } from './sample.ts'

const folder = mkdtempSync(join(tmpdir(), 'index-writing-'))
after(() => rmSync(folder, { recursive: true }))
const file = join(folder, 'index.json')

/** Of the times in the samples. */
const clock = () => now * 1000

/** An index with more of everything than a reader may take. */
const large = fc.tuple(indexes(), fc.nat(8)).map(([index, more]) => {
  const numbers = Array.from({ length: more }, (_, at) => at)
  const named = numbers.map(at => [packHash(`retired ${at}`), now - at] as const)
  return { ...index, retired: new Map(named), recent: new Set([...index.packs.keys()].slice(0, more)) }
})

const smallBounds = fc.record({
  bytes: fc.integer({ min: 3000, max: 12_000 }),
  packs: fc.nat(6),
  references: fc.nat(4),
  elsewhere: fc.nat(3),
  layers: fc.nat(3),
  images: fc.nat(3),
  recent: fc.nat(3),
  tooLarge: fc.nat(2),
  retired: fc.nat(8),
})

test('whatever an index holds, what is written stays within the bounds and is read back', async () => {
  await fc.assert(
    fc.asyncProperty(large, smallBounds, async (index, most) => {
      const written = await writeIndex(file, index, most)
      assert.ok(statSync(file).size <= most.bytes)
      for (const name of ['packs', 'elsewhere', 'layers', 'images', 'recent', 'tooLarge', 'retired'] as const)
        assert.ok(written[name].size <= most[name], name)
      const { index: read, problem } = await readIndex(file, clock)
      assert.equal(problem, undefined)
      assert.equal(read && renderIndex(read), renderIndex(written))
      for (const [hash, path] of written.paths) {
        assert.ok(path.references.length <= most.references)
        assert.equal(index.paths.get(hash), path)
      }
    }),
  )
})

test('what is within the bounds is written as it is', async () => {
  await fc.assert(
    fc.asyncProperty(indexes(), async index => {
      const bytes = Buffer.byteLength(renderIndex(index))
      assert.equal(await writeIndex(file, index, { ...bounds, bytes }), index)
    }),
  )
})

test('of too much the part that is worth most is written', async () => {
  // Used now; used lately and dear; used lately and cheap; unused for long.
  const samples = [
    { lastUse: now, cost: 1 },
    { lastUse: now - 60, cost: 500 },
    { lastUse: now - 60, cost: 1 },
    { lastUse: now - 500_000, cost: 1 },
  ]
  const paths = Array.from({ length: 200 }, (_, at) => samplePath(`p${at}`, samples[at % samples.length]))
  const index = sampleIndex(paths)
  for (const [part, expected] of [
    [0.85, [50, 50, 50]],
    [0.6, [50, 50]],
    [0.35, [50]],
  ] as const) {
    const bytes = part * Buffer.byteLength(renderIndex(index))
    const { paths: kept } = await writeIndex(file, index, { ...bounds, bytes })
    const kinds = samples.map(
      (_, kind) =>
        paths.filter(({ name }, at) => at % samples.length === kind && kept.has(hashOf(name))).length,
    )
    assert.deepEqual(kinds.slice(0, expected.length), expected)
    assert.ok(kept.size >= 200 * (part - 0.15) && kept.size <= 200 * part, `${kept.size}`)
  }
})

test('a path that refers to more than a reader takes is left out, and only that', async () => {
  const libraries = ['a', 'b', 'c'].map(name => samplePath(name))
  const references = libraries.map(({ name }) => name)
  const some = samplePath('some', { references: references.slice(1) })
  const all = samplePath('all', { references, cost: 1e6 })
  const { paths } = await writeIndex(file, sampleIndex([...libraries, some, all]), {
    ...bounds,
    references: 2,
  })
  assert.deepEqual(new Set(paths.values()), new Set([...libraries, some]))
})

test('layers and packs that were given up are remembered by their age', async () => {
  const index = sampleIndex([samplePath('x')], {
    layers: new Map([5, 9, 7].map(age => [`${age}`, layerUse('x', 1, now - age)])),
    images: new Map([5, 9, 7].map(age => [`${age}`, layerUse('x', 1, now - age)])),
    retired: new Map([5, 9, 7].map(age => [packHash(`${age}`), now - age])),
    tooLarge: new Map([5, 9, 7].map(age => [hashOf(pathName(`${age}`)), { size: 1, lastUse: now - age }])),
  })
  const written = await writeIndex(file, index, { ...bounds, layers: 2, images: 2, retired: 2, tooLarge: 2 })
  const kept = ['5', '7']
  assert.deepEqual([...written.layers.keys()], kept)
  assert.deepEqual([...written.images.keys()], kept)
  assert.deepEqual([...written.retired.keys()], kept.map(packHash))
  assert.deepEqual(
    [...written.tooLarge.keys()],
    kept.map(name => hashOf(pathName(name))),
  )
  assert.equal(written.paths.size, 1)
})
