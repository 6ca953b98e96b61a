import { type Figure, median } from '../results.ts'
import {
  type Contender,
  type ImageResult,
  isOf,
  type LargeResult,
  type PushSample,
  type Scenario,
  type UnchangedResult,
  type UnchangedScenario,
} from './results.ts'
import type { Use } from './use.ts'

/** What was asked of the push, beside what was measured. Pure. */
export function figuresOf(
  images: readonly ImageResult[],
  unchanged: UnchangedResult | undefined,
  large: readonly LargeResult[],
): Figure[] {
  return [
    ...images.flatMap(figuresOfImage),
    ...(unchanged === undefined ? [] : figuresOfUnchanged(unchanged)),
    ...large.map(({ compression, peak, bytes }) =>
      figure(
        `a layer of ${(bytes / 2 ** 30).toFixed(1)} GiB, ${compression}: memory`,
        peak / 1e6,
        mostMemory,
        'MB',
      ),
    ),
  ]
}

/** Megabytes. */
const mostMemory = 300

/** Times skopeo's, at most. */
const limits = { cold: { zstd: 0.7, gzip: 1 }, changed: { zstd: 0.05, gzip: 0.05 } } as const

function figuresOfImage(image: ImageResult): Figure[] {
  const { name, archiving } = image
  const figures: Figure[] = []
  for (const scenario of ['cold', 'changed'] as const) {
    for (const compression of ['zstd', 'gzip'] as const) {
      const of = (tool: Contender['tool'], from: Contender['from']) =>
        samplesOf(image, { tool, from, compression }, scenario)
      const [store, archive, skopeo] = [of('ours', 'store'), of('ours', 'archive'), of('skopeo', 'archive')]
      if (store.length === 0 || archive.length === 0 || skopeo.length === 0) continue
      const what = `${name}: ${scenario}, ${compression}`
      const limit = limits[scenario][compression]
      const first = medianOf(archiving, ({ seconds }) => seconds)
      figures.push(
        figure(`${what}, from the store`, seconds(store) / (first + seconds(skopeo)), limit, '×'),
        figure(`${what}, from an archive`, seconds(archive) / seconds(skopeo), limit, '×'),
      )
      if (scenario === 'cold' && compression === 'gzip')
        figures.push(figure(`${what}, bytes`, sent(store) / sent(skopeo), 1.05, '×'))
    }
  }
  const cold = image.rows.filter(({ tool, scenario }) => tool === 'ours' && scenario === 'cold')
  for (const { from, samples } of image.inspections) {
    const pushes = cold.filter(row => row.from === from).map(row => seconds(row.samples))
    if (samples.length === 0 || pushes.length === 0) continue
    figures.push(
      figure(
        `${name}: inspection, from the ${from}, to our fastest push`,
        seconds(samples) / Math.min(...pushes),
        0.1,
        '×',
      ),
      figure(
        `${name}: inspection, from the ${from}: memory`,
        Math.max(...samples.map(({ peak }) => peak)) / 1e6,
        200,
        'MB',
      ),
    )
  }
  const ours = image.rows.filter(({ tool }) => tool === 'ours').flatMap(({ samples }) => samples)
  const peak = Math.max(...ours.map(({ peak }) => peak))
  return [...figures, figure(`${name}: most memory`, peak / 1e6, mostMemory, 'MB')]
}

function figuresOfUnchanged(unchanged: UnchangedResult): Figure[] {
  return (Object.keys(unchanged) as UnchangedScenario[]).flatMap(scenario => {
    const samples = unchanged[scenario]
    if (samples.length === 0) return []
    const most = (of: (sample: (typeof samples)[number]) => number) => Math.max(...samples.map(of))
    const after = medianOf(samples, ({ afterNix }) => afterNix)
    return [
      figure(
        `${scenario}, ${scenario.endsWith('if-needed') ? 'all of it' : 'after Nix is there'}`,
        after,
        1,
        's',
      ),
      figure(
        `${scenario}, requests for blobs`,
        most(({ blobs }) => blobs),
        0,
        '',
      ),
      ...(scenario === 'output known'
        ? []
        : [
            figure(
              `${scenario}, evaluations`,
              most(({ evaluated }) => Number(evaluated)),
              0,
              '',
            ),
          ]),
    ]
  })
}

function figure(what: string, is: number, atMost: number, unit: Figure['unit']): Figure {
  return { what, is, atMost, unit, met: is <= atMost }
}

/** What was measured of a contender; nothing where it was left out. */
export function samplesOf(
  { rows }: ImageResult,
  contender: Contender,
  scenario: Scenario,
): readonly PushSample[] {
  return rows.find(row => isOf(row, contender, scenario))?.samples ?? []
}

export function medianOf<T>(samples: readonly T[], of: (sample: T) => number): number {
  return median(samples.map(of))
}

function seconds(samples: readonly Use[]): number {
  return medianOf(samples, ({ seconds }) => seconds)
}

function sent(samples: readonly PushSample[]): number {
  return medianOf(samples, ({ sent }) => sent)
}
