import {
  type Figure,
  type IndexResult,
  median,
  type Scenario,
  type StoreResult,
  type Tool,
} from './results.ts'
import type { Sample } from './sample.ts'

/** Times the archive's median, for the big store and for those of small paths. */
const ratios: Readonly<Partial<Record<Scenario, { readonly big: number; readonly small: number }>>> = {
  'save everything': { big: 1.2, small: 2 },
  'save 5 % new': { big: 0.15, small: 0.15 },
  'restore everything': { big: 1, small: 1.5 },
  'restore a tenth': { big: 0.2, small: 0.2 },
}

/** What was asked of the store cache, beside what was measured. Pure. */
export function figuresOf(stores: readonly StoreResult[], index: readonly IndexResult[]): Figure[] {
  return [...stores.flatMap(figuresOfStore), ...index.flatMap(figuresOfIndex)]
}

function figuresOfStore(store: StoreResult): Figure[] {
  const samples = (scenario: Scenario, tool: Tool) => store.scenarios[scenario]?.[tool] ?? []
  const figures: Figure[] = []
  const add = (what: string, is: number, atMost: number, unit: Figure['unit']) =>
    figures.push({ what: `${store.name}: ${what}`, is, atMost, unit, met: is <= atMost })
  for (const scenario of Object.keys(store.scenarios) as Scenario[]) {
    const [ours, tar] = [samples(scenario, 'ours'), samples(scenario, 'tar')]
    if (ours.length === 0) continue
    const limit = ratios[scenario]?.[store.name === 'big' ? 'big' : 'small']
    if (limit === undefined) add(scenario, seconds(ours), 1, 's')
    else if (tar.length > 0) add(scenario, seconds(ours) / seconds(tar), limit, '×')
    const most = (of: (sample: Sample) => number) => Math.max(...ours.map(of))
    if (scenario === 'save nothing new')
      add(
        `${scenario}, uploads`,
        most(({ uploads }) => uploads),
        0,
        '',
      )
    // The index is one.
    if (scenario === 'restore nothing')
      add(`${scenario}, packs fetched`, most(({ downloads }) => downloads) - 1, 0, '')
  }
  const calls = Object.values(store.scenarios).flatMap(({ ours = [] }) => ours.map(sample => sample.calls))
  if (calls.length > 0) add('most service calls in a step', Math.max(...calls), 25, '')
  return figures
}

function figuresOfIndex({ paths, milliseconds, peak }: IndexResult): Figure[] {
  if (paths !== 20_000) return []
  const what = `index of ${paths} paths`
  const megabytes = peak / 1e6
  return [
    { what: `${what}, to open it`, is: milliseconds, atMost: 300, unit: 'ms', met: milliseconds <= 300 },
    { what: `${what}, memory of the process`, is: megabytes, atMost: 150, unit: 'MB', met: megabytes <= 150 },
  ]
}

function seconds(samples: readonly Sample[]): number {
  return median(samples.map(sample => sample.seconds))
}
