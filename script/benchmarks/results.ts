import type { Link } from '../../__tests__/harness/network.ts'
import type { Sample } from './sample.ts'

/** `ours`: this action. `tar`: an archive of the store, as cache-nix-action makes it. `copy`: plain `nix copy`. */
export const tools = ['ours', 'tar', 'copy'] as const
export type Tool = (typeof tools)[number]

export const scenarios = {
  'save everything': 'save',
  'save 5 % new': 'save',
  'save nothing new': 'save',
  'restore everything': 'restore',
  'restore a tenth': 'restore',
  'restore nothing': 'restore',
} as const
export type Scenario = keyof typeof scenarios

/** What one tool took for one thing. The samples may be those of another scenario, where it does the same in both. */
export type Samples = Readonly<Partial<Record<Tool, readonly Sample[]>>>

export type StoreResult = {
  /** As `--sizes` names it. */
  readonly name: string
  readonly paths: number
  readonly files: number
  readonly bytes: number
  readonly scenarios: Readonly<Partial<Record<Scenario, Samples>>>
}

/** What it costs to open an index, medians. */
export type IndexResult = {
  readonly paths: number
  /** Of the file, in bytes. */
  readonly size: number
  readonly milliseconds: number
  /** Bytes of memory that the process had at its peak, and how many of them came with the index. */
  readonly peak: number
  readonly grown: number
}

export type CacheResult = {
  readonly benchmark: 'cache'
  readonly machine: Readonly<Record<string, string | number>>
  readonly rounds: number
  readonly stores: readonly StoreResult[]
  readonly index: readonly IndexResult[]
  readonly figures: readonly Figure[]
}

/** One store, of which a public binary cache has all paths but one, which a job builds. */
export type UpstreamStore = {
  readonly name: string
  readonly paths: number
  readonly files: number
  readonly bytes: number
  /** Compressed, as the public cache has the paths, and by how much ours is larger with them. */
  readonly upstreamBytes: number
  readonly cacheBytes: number
  /** By what was done. */
  readonly rows: Readonly<Record<string, readonly Sample[]>>
}

export type UpstreamResult = {
  readonly benchmark: 'upstream'
  readonly machine: Readonly<Record<string, string | number>>
  readonly rounds: number
  readonly links: Readonly<Record<string, Link>>
  readonly stores: readonly UpstreamStore[]
}

/** A number that was asked for, and what it is. */
export type Figure = {
  readonly what: string
  readonly is: number
  readonly atMost: number
  /** `×`: times a peer's median. Empty for a number of things. */
  readonly unit: '×' | 's' | 'ms' | 'MB' | ''
  readonly met: boolean
}

/** @throws Error when there is none */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  if (low === undefined || high === undefined) throw new Error('there is no median of nothing')
  return (low + high) / 2
}
