import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { writePath } from '../../script/benchmarks/contents.ts'
import { figuresOf } from '../../script/benchmarks/figures.ts'
import { median, type StoreResult } from '../../script/benchmarks/results.ts'
import type { Sample } from '../../script/benchmarks/sample.ts'
import { describeStore, parseSize } from '../../script/benchmarks/stores.ts'
import { render } from '../../script/benchmarks/table.ts'
import { mergeSql } from '../../script/benchmarks/tar-merge.ts'
import { reach } from '../../src/cache/closure.ts'

test('a store is closed, in order, and needed as it says', () => {
  fc.assert(
    fc.property(fc.integer({ min: 40, max: 1500 }), count => {
      const spec = describeStore(String(count))
      const all = [...spec.old, ...spec.added]
      assert.equal(new Set(all.map(({ name }) => name)).size, count)
      const before = new Set<string>()
      for (const { name, references } of all) {
        for (const reference of references) assert.ok(before.has(reference), `${name} is before ${reference}`)
        before.add(name)
      }
      const references = new Map(all.map(path => [path.name, path.references]))
      const closure = (...roots: string[]) => reach(roots, name => references.get(name)).size
      assert.equal(closure(spec.root), count)
      assert.equal(closure(...spec.oldRoots), spec.old.length)
      const tenth = closure(spec.tenth) / count
      assert.ok(tenth > 0.07 && tenth < 0.13, `a tenth is ${tenth}`)
      const share = spec.added.length / count
      assert.ok(share > 0.03 && share < 0.07, `what is new is ${share}`)
    }),
    { numRuns: 30 },
  )
})

test('the big store has the files and bytes that it should', () => {
  const { old, added } = describeStore('big')
  const paths = [...old, ...added]
  const sum = (of: (path: (typeof paths)[number]) => number) =>
    paths.reduce((total, path) => total + of(path), 0)
  assert.equal(paths.length, 40)
  assert.ok(Math.abs(sum(({ files }) => files) - 70_000) < 7000)
  assert.ok(Math.abs(sum(({ bytes }) => bytes) - 1.5e9) < 1.5e8)
})

test('names of stores', () => {
  assert.equal(parseSize('5k')?.paths, 5000)
  assert.equal(parseSize('60')?.paths, 60)
  for (const name of ['', '0', '39', '-5', '5K', '1.5k', '101k', 'huge'])
    assert.equal(parseSize(name), undefined)
  assert.throws(() => describeStore('huge'), /there is no store 'huge'/)
})

test('a path has the same contents each time', t => {
  const folder = mkdtempSync(join(tmpdir(), 'contents-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [spec] = describeStore('40').old
  assert.ok(spec)
  const read = (root: string) =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .toSorted()
      .flatMap(name => {
        const file = join(root, name)
        return statSync(file).isFile() ? [`${name} ${readFileSync(file, 'base64')}`] : []
      })
  const [one = [], other = []] = ['one', 'other'].map(name => {
    writePath(folder, { ...spec, name })
    return read(join(folder, name))
  })
  assert.ok(one.length >= spec.files)
  assert.deepEqual(one, other)
})

test('medians', () => {
  assert.equal(median([3, 1, 2]), 2)
  assert.equal(median([4, 1, 2, 3]), 2.5)
  assert.throws(() => median([]))
})

const sample = (seconds: number, more: Partial<Sample> = {}): Sample => ({
  ...{ seconds, cpu: seconds, calls: 3, uploads: 0, downloads: 1, sent: 0, received: 100, phases: {} },
  ...more,
})

const store = (name: string, restore: number, nothing: number): StoreResult => ({
  ...{ name, paths: 40, files: 100, bytes: 1000 },
  scenarios: {
    'restore everything': { ours: [sample(restore), sample(100), sample(restore)], tar: [sample(2)] },
    'restore nothing': { ours: [sample(nothing, { downloads: 2, calls: 26 })], tar: [sample(2)] },
  },
})

test('a figure is met up to its limit, which depends on the store', () => {
  const of = (result: StoreResult) =>
    figuresOf([result], []).map(({ what, is, met }) => [what.replace(/^.*?: /, ''), is, met])
  assert.deepEqual(of(store('big', 2, 1)), [
    ['restore everything', 1, true],
    ['restore nothing', 1, true],
    ['restore nothing, packs fetched', 1, false],
    ['most service calls in a step', 26, false],
  ])
  assert.deepEqual(of(store('big', 3, 1.1)).slice(0, 2), [
    ['restore everything', 1.5, false],
    ['restore nothing', 1.1, false],
  ])
  assert.deepEqual(of(store('5k', 3, 1)).slice(0, 1), [['restore everything', 1.5, true]])
  const index = { paths: 20_000, size: 1, milliseconds: 301, peak: 150e6, grown: 1 }
  assert.deepEqual(
    figuresOf([], [index, { ...index, paths: 5000 }]).map(({ met }) => met),
    [false, true],
  )
})

test('the table has medians, ratios and what is missed', () => {
  const stores = [store('big', 3, 1)]
  const machine = { processors: 2 }
  const text = render({
    benchmark: 'cache',
    ...{ machine, rounds: 3, stores, index: [], figures: figuresOf(stores, []) },
  })
  assert.match(text, /\| restore everything \| 3\.00 s \| 2\.00 s \| {2}\| 1\.50× \|/)
  assert.match(text, /\| big: restore everything \| 1\.50× \| ≤ 1\.00× \| \*\*missed\*\* \|/)
  assert.match(text, /\| big: restore nothing \| 1\.00 s \| ≤ 1\.00 s \| met \|/)
})

test('databases are merged as one that is restored and one that is there', t => {
  const folder = mkdtempSync(join(tmpdir(), 'merge-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const [before, after, merged] = ['before', 'after', 'merged'].map(name => join(folder, name)) as [
    string,
    string,
    string,
  ]
  const schema = `
    create table ValidPaths (id integer primary key autoincrement not null, path text unique not null,
      hash text, registrationTime integer, deriver text, narSize integer, ultimate integer, sigs text, ca text);
    create table Refs (referrer integer, reference integer);
    create table DerivationOutputs (drv integer, id text, path text);`
  const make = (file: string, paths: readonly string[], refs: readonly (readonly [string, string])[]) => {
    using database = new DatabaseSync(file)
    database.exec(schema)
    const add = database.prepare('insert into ValidPaths (path, hash, registrationTime) values (?, ?, 1)')
    for (const path of paths) add.run(path, `hash of ${path}`)
    const refer = database.prepare(
      'insert into Refs select a.id, b.id from ValidPaths a, ValidPaths b where a.path = ? and b.path = ?',
    )
    for (const [from, to] of refs) refer.run(from, to)
  }
  make(before, ['nix', 'libc'], [['nix', 'libc']])
  make(after, ['new', 'libc', 'lib'], [
    ['new', 'lib'],
    ['lib', 'libc'],
    ['new', 'new'],
  ] as const)
  using database = new DatabaseSync(merged)
  database.exec(mergeSql({ before, after }))
  const refs = database
    .prepare(
      'select concat(a.path, char(62), b.path) as ref from Refs join ValidPaths a on a.id = referrer join ValidPaths b on b.id = reference',
    )
    .all()
    .map(({ ref }) => ref)
  assert.deepEqual(refs.toSorted(), ['lib>libc', 'new>lib', 'new>new', 'nix>libc'])
  const paths = database.prepare('select path from ValidPaths').all()
  assert.deepEqual(paths.map(({ path }) => path).toSorted(), ['lib', 'libc', 'new', 'nix'])
})
