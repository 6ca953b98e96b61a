/**
 * How many seconds of building a bound on the cache costs: ours, the same code that runs at the end of a job, beside
 * what `nix store gc --max` leaves and beside dropping what was used least recently.
 * Usage: node script/benchmarks/hit-rate.ts [--commits N] [--seeds 1,2,3] [--bounds 0.5,0.25]
 */
import { parseArgs } from 'node:util'
import { type HistoryOptions, makeHistory, type Run } from './history.ts'
import { garbageCollected, nothingKept, planned, unbounded } from './keepers.ts'
import { type Keeper, simulate } from './simulate.ts'

export type HitRateOptions = Partial<Omit<HistoryOptions, 'seed'>> & {
  readonly seeds?: readonly number[]
  /** Parts of all that the history makes that the cache may hold. @default 0.5, 0.35 and 0.25 */
  readonly bounds?: readonly number[]
}

export type HitRate = {
  readonly bound: number
  readonly seed: number
  readonly runs: number
  /** Bytes that the whole history makes, and those that the cache may hold. */
  readonly total: number
  readonly limit: number
  readonly policies: readonly PolicyResult[]
}

export type PolicyResult = {
  readonly policy: string
  /** Seconds of building and fetching over all runs. */
  readonly seconds: number
  /** Those of them that an unbounded cache would have saved. */
  readonly caused: number
  readonly uploaded: number
  /** Requests that rewriting packs took in the run that needed most. */
  readonly rewriteCalls: number
}

/** One simulation a bound and seed, each policy over the same history. */
export function hitRate(options: HitRateOptions = {}): HitRate[] {
  const { seeds = [1, 2, 3, 4, 5], commits = 60, libraries = 90, bounds = [0.5, 0.35, 0.25] } = options
  const histories = seeds.map(seed => {
    const history = makeHistory({ seed, commits, libraries })
    return { seed, history, total: sizeOfAll(history) }
  })
  const all = bounds.flatMap(bound => histories.map(one => ({ ...one, bound })))
  return all.map(({ bound, seed, history, total }) => {
    const limit = Math.floor(total * bound)
    const keepers: Record<string, Keeper> = {
      unbounded: unbounded(),
      ours: planned({ limit }),
      'least recently used': planned({ limit, lru: true }),
      'least recently used, whole packs': planned({ limit, lru: true, rewrite: false }),
      'nix store gc --max': garbageCollected({ limit, seed }),
      'no cache': nothingKept(),
    }
    const results = Object.entries(keepers).map(([policy, keeper]) => ({
      policy,
      ...simulate(history, keeper),
    }))
    const [best = 0] = results.map(({ seconds }) => seconds)
    const policies = results.map(result => ({ ...result, caused: result.seconds - best }))
    return { bound, seed, runs: history.length, total, limit, policies }
  })
}

/** Markdown, a table for each bound: minutes that each policy causes, by seed and on average, beside ours. */
export function hitRateTable(results: readonly HitRate[]): string {
  const byBound = Map.groupBy(results, ({ bound }) => bound)
  return [...byBound].map(([bound, some]) => tableOf(bound, some)).join('\n\n')
}

function tableOf(bound: number, results: readonly HitRate[]): string {
  const resultsOf = (name: string) =>
    results.flatMap(({ policies }) => policies.filter(({ policy }) => policy === name))
  const causedBy = (name: string) => resultsOf(name).map(({ caused }) => caused)
  const ours = mean(causedBy('ours'))
  const rows = (results[0]?.policies ?? []).map(({ policy }) => {
    const caused = causedBy(policy)
    const sent = mean(resultsOf(policy).map(({ uploaded }) => uploaded / 1e9))
    const calls = Math.max(...resultsOf(policy).map(({ rewriteCalls }) => rewriteCalls))
    const ratio = policy === 'ours' || ours === 0 ? '' : (mean(caused) / ours).toFixed(1)
    return [policy, ...caused.map(minutes), minutes(mean(caused)), ratio, sent.toFixed(1), String(calls)]
  })
  const seeds = results.map(({ seed }) => `seed ${seed}`)
  const what = `Minutes of rebuilding caused, bound ${bound} of all`
  const head = [what, ...seeds, 'mean', '× ours', 'GB sent', 'most calls to rewrite']
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, at) => (at === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

function sizeOfAll(history: readonly Run[]): number {
  const keeper = unbounded()
  simulate(history, keeper)
  return keeper.size()
}

function minutes(seconds: number): string {
  return (seconds / 60).toFixed(0)
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length)
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      commits: { type: 'string', default: '60' },
      libraries: { type: 'string', default: '90' },
      seeds: { type: 'string', default: '1,2,3,4,5' },
      bounds: { type: 'string', default: '0.5,0.35,0.25' },
    },
  })
  const results = hitRate({
    commits: Number(values.commits),
    libraries: Number(values.libraries),
    seeds: values.seeds.split(',').map(Number),
    bounds: values.bounds.split(',').map(Number),
  })
  console.log(hitRateTable(results))
  console.log()
  for (const { bound, seed, runs, total, limit, policies } of results) {
    const all = policies.find(({ policy }) => policy === 'unbounded')?.seconds ?? 0
    const gigabytes = [total, limit].map(bytes => `${(bytes / 1e9).toFixed(1)} GB`)
    console.log(
      `bound ${bound}, seed ${seed}: ${runs} runs make ${gigabytes[0]}, the bound is ${gigabytes[1]}; an unbounded cache builds for ${minutes(all)} min`,
    )
  }
}
