import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { figuresOf } from '../../script/benchmarks/push/figures.ts'
import { amountOf, describeImage, parseImage } from '../../script/benchmarks/push/images.ts'
import type {
  ImageResult,
  PushSample,
  Row,
  UnchangedResult,
  UnchangedSample,
} from '../../script/benchmarks/push/results.ts'
import { renderPush } from '../../script/benchmarks/push/table.ts'

test('an image has the layers that it should, and one of them changes', () => {
  fc.assert(
    fc.property(fc.integer({ min: 3, max: 500 }), layers => {
      const shape = parseImage(String(layers)) ?? assert.fail()
      const spec = describeImage('some', shape)
      assert.equal(amountOf(spec).layers, layers)
      const names = new Set([...spec.paths, spec.changed].map(({ name }) => name))
      assert.equal(names.size, layers)
      for (const name of names) assert.match(name, /^[0-9a-z]{32}-some-(layer|app)-\d+$/)
      assert.deepEqual(describeImage('some', shape), spec)
    }),
    { numRuns: 30 },
  )
})

test('the big image has the files and bytes that it should', () => {
  const { layers, files, bytes } = amountOf(describeImage('big', parseImage('big') ?? assert.fail()))
  assert.equal(layers, 40)
  assert.ok(Math.abs(files - 70_000) < 7000, `${files}`)
  assert.ok(Math.abs(bytes - 1.5e9) < 1.5e8, `${bytes}`)
})

test('names of images', () => {
  assert.equal(parseImage('100')?.layers, 100)
  assert.equal(parseImage('3')?.layers, 3)
  for (const name of ['', '2', '-5', '1k', '1000', 'huge', '012']) assert.equal(parseImage(name), undefined)
})

const use = (seconds: number) => ({ seconds, cpu: seconds / 2, peak: 100e6 })
const sample = (seconds: number, sent: number): PushSample => ({ ...use(seconds), sent })
const row = (named: string, samples: readonly PushSample[]): Row => {
  const [tool, from, compression, scenario] = named.split(' ') as [
    Row['tool'],
    Row['from'],
    Row['compression'],
    Row['scenario'],
  ]
  return { tool, from, compression, scenario, samples }
}

/** Skopeo takes 10 s, the archive before that 20 s. */
function imageWith(
  rows: readonly Row[],
  inspections: ImageResult['inspections'] = [{ from: 'store', samples: [] }],
): ImageResult {
  const amount = { layers: 40, files: 100, bytes: 1000 }
  return { name: 'big', ...amount, archiving: [use(20), use(99), use(1)], rows, inspections }
}

const met = (figures: ReturnType<typeof figuresOf>) => figures.map(({ what, is, met }) => [what, is, met])

test('a figure is met up to its limit, with the archive made and without', () => {
  const image = imageWith([
    row('ours store zstd cold', [sample(21, 0), sample(1000, 0), sample(1, 0)]),
    row('ours archive zstd cold', [sample(7.1, 0)]),
    row('skopeo archive zstd cold', [sample(10, 0)]),
    row('ours store gzip cold', [sample(30, 106)]),
    row('ours archive gzip cold', [sample(10, 106)]),
    row('skopeo archive gzip cold', [sample(10, 100)]),
    row('ours store gzip changed', [sample(1.6, 1)]),
    row('ours archive gzip changed', [sample(0.5, 1), { ...sample(0.5, 1), peak: 301e6 }]),
    row('skopeo archive gzip changed', [{ ...sample(10, 1), peak: 900e6 }]),
    // Nobody to be compared with.
    row('ours store zstd changed', [sample(9, 1)]),
    row('ours archive zstd changed', [sample(9, 1)]),
  ])
  assert.deepEqual(met(figuresOf([image], undefined, [])), [
    ['big: cold, zstd, from the store', 0.7, true],
    ['big: cold, zstd, from an archive', 0.71, false],
    ['big: cold, gzip, from the store', 1, true],
    ['big: cold, gzip, from an archive', 1, true],
    ['big: cold, gzip, bytes', 1.06, false],
    ['big: changed, gzip, from the store', 1.6 / 30, false],
    ['big: changed, gzip, from an archive', 0.05, true],
    ['big: most memory', 301, false],
  ])
})

test('an inspection is held against the quickest push from the same source, and its memory against a limit', () => {
  const rows = [
    row('ours store zstd cold', [sample(20, 0)]),
    row('ours store gzip cold', [sample(10, 0)]),
    row('ours archive gzip cold', [sample(10, 0)]),
    row('skopeo archive gzip cold', [sample(1, 0)]),
  ]
  const image = imageWith(rows, [
    { from: 'store', samples: [use(1), use(5), use(0.5)] },
    { from: 'archive', samples: [use(1.25), { ...use(1), peak: 201e6 }, use(2)] },
  ])
  const figures = figuresOf([image], undefined, []).filter(({ what }) => what.includes('inspection'))
  assert.deepEqual(met(figures), [
    ['big: inspection, from the store, to our fastest push', 0.1, true],
    ['big: inspection, from the store: memory', 100, true],
    ['big: inspection, from the archive, to our fastest push', 0.125, false],
    ['big: inspection, from the archive: memory', 201, false],
  ])
})

const unchangedSample = (afterNix: number, more: Partial<UnchangedSample> = {}): UnchangedSample => ({
  ...{ seconds: afterNix + 5, afterNix, blobs: 0, evaluated: false },
  ...more,
})

const unchanged: UnchangedResult = {
  'output known': [unchangedSample(1, { evaluated: true }), unchangedSample(0.5, { blobs: 2 })],
  'source known': [unchangedSample(0.2), unchangedSample(0.4, { evaluated: true })],
  'source known, if-needed': [],
}

test('of what is unchanged a single request or evaluation too many is told', () => {
  assert.deepEqual(met(figuresOf([], unchanged, [])), [
    ['output known, after Nix is there', 0.75, true],
    ['output known, requests for blobs', 2, false],
    ['source known, after Nix is there', 0.2 + 0.1, true],
    ['source known, requests for blobs', 0, true],
    ['source known, evaluations', 1, false],
  ])
})

test('memory is held against its limit', () => {
  const large = { ...use(1), compression: 'zstd', bytes: 4 * 2 ** 30 } as const
  assert.deepEqual(met(figuresOf([], undefined, [large, { ...large, peak: 301e6 }])), [
    ['a layer of 4.0 GiB, zstd: memory', 100, true],
    ['a layer of 4.0 GiB, zstd: memory', 301, false],
  ])
})

test('the table has medians, with the archive made and without, beside each other what did the same', () => {
  const image = imageWith([
    row('ours store gzip cold', [sample(4, 5e6), sample(6, 5e6), sample(50, 5e6)]),
    row('ours store gzip again', [sample(1, 0)]),
    row('skopeo archive gzip cold', [sample(10, 7e6)]),
    row('crane archive gzip cold', [sample(15, 7e6)]),
    row('docker archive zstd cold', [sample(15, 7e6)]),
  ])
  const text = renderPush({
    ...{ benchmark: 'push', machine: { processors: 2 }, rounds: 3, images: [image] },
    unchanged: { ...unchanged, 'source known, if-needed': [unchangedSample(0.1)] },
    large: [{ ...use(30), compression: 'gzip', bytes: 4e9 }],
    curves: [
      imageWith([
        row('ours store zstd cold', [sample(3, 0)]),
        row('skopeo archive zstd cold', [sample(5, 0)]),
      ]),
    ],
    figures: figuresOf([], unchanged, []),
  })
  const lines = text.split('\n').filter(line => line.startsWith('| to an empty') || line.startsWith('| what'))
  assert.deepEqual(lines, [
    '| to an empty registry, zstd | `docker load`, `docker push` | 15.00 s |  | 35.00 s |  | 7.50 s | 100 MB | 7.0 MB |',
    '| to an empty registry, gzip | nix-image-action, from the store | 6.00 s | 0.60× | 6.00 s | 0.20× | 3.00 s | 100 MB | 5.0 MB |',
    '| to an empty registry, gzip | skopeo | 10.00 s | 1.00× | 30.00 s | 1.00× | 5.00 s | 100 MB | 7.0 MB |',
    '| to an empty registry, gzip | crane | 15.00 s | 1.50× | 35.00 s | 1.17× | 7.50 s | 100 MB | 7.0 MB |',
    '| what the registry has, gzip | nix-image-action, from the store | 1.00 s |  | 1.00 s |  | 0.50 s | 100 MB | 0.0 MB |',
  ])
  assert.match(text, /^\| output known \| 5\.75 s \| 0\.75 s \| 2 \|$/m)
  assert.match(text, /^\| 4000 MB \| gzip \| 30\.00 s \| 15\.00 s \| 100 MB \|$/m)
  assert.match(
    text,
    /^\| 40 \| 0\.0 MB \| 100 \| 20\.00 s \| 3\.00 s \| 1\.50 s \| 100 MB \| 5\.00 s \| 2\.50 s \| 100 MB \|$/m,
  )
  assert.match(text, /^\| source known, evaluations \| 1 \| ≤ 0 \| \*\*missed\*\* \|$/m)
})
