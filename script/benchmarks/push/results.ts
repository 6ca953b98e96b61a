import type { Compression } from '../../../src/registry/model.ts'
import type { Figure } from '../results.ts'
import type { ImageShape } from './images.ts'
import type { Use } from './use.ts'

export const tools = ['ours', 'skopeo', 'crane', 'docker'] as const
export type Tool = (typeof tools)[number]

/** Who pushes, from what, to what. */
export type Contender = {
  readonly tool: Tool
  /** Store paths, or a docker archive of them. */
  readonly from: 'store' | 'archive'
  readonly compression: Compression
}

/** All that is compared. Neither crane nor Docker writes zstd, and only we push from the store. */
export const contenders: readonly Contender[] = [
  { tool: 'ours', from: 'store', compression: 'zstd' },
  { tool: 'skopeo', from: 'archive', compression: 'zstd' },
  { tool: 'ours', from: 'archive', compression: 'zstd' },
  { tool: 'ours', from: 'store', compression: 'gzip' },
  { tool: 'skopeo', from: 'archive', compression: 'gzip' },
  { tool: 'ours', from: 'archive', compression: 'gzip' },
  { tool: 'crane', from: 'archive', compression: 'gzip' },
  { tool: 'docker', from: 'archive', compression: 'gzip' },
]

/** In this order, each in the registry that the one before leaves. */
export const scenarios = ['cold', 'again', 'changed'] as const
/** To an empty registry; what it has; with one small layer changed. Always on a fresh machine. */
export type Scenario = (typeof scenarios)[number]

/** One measurement. `sent` is by how many bytes the registry has more. */
export type PushSample = Use & { readonly sent: number }

/** What was measured of a contender. */
export type Row = Contender & { readonly scenario: Scenario; readonly samples: readonly PushSample[] }

export function isOf(row: Row, { tool, from, compression }: Contender, scenario: Scenario): boolean {
  const same = row.tool === tool && row.from === from && row.compression === compression
  return same && row.scenario === scenario
}

export type ImageResult = ImageShape & {
  readonly name: string
  /** What it took to make the archive, in each round. */
  readonly archiving: readonly Use[]
  readonly rows: readonly Row[]
  /** Inspections, each by a process of its own that did nothing else: their time is that of the inspection alone. */
  readonly inspections: readonly { readonly from: Contender['from']; readonly samples: readonly Use[] }[]
}

/** A run of the action's main step, of which the image is unchanged. */
export type UnchangedSample = {
  /** Seconds of the whole step, and of it from where Nix was installed on, if it was. */
  readonly seconds: number
  readonly afterNix: number
  /** Requests for blobs that the registry got. */
  readonly blobs: number
  /** Whether the flake was evaluated. */
  readonly evaluated: boolean
}
export const unchangedScenarios = ['output known', 'source known', 'source known, if-needed'] as const
export type UnchangedScenario = (typeof unchangedScenarios)[number]
export type UnchangedResult = Readonly<Record<UnchangedScenario, readonly UnchangedSample[]>>

/** One layer of so many bytes. */
export type LargeResult = Use & { readonly compression: Compression; readonly bytes: number }

export type PushResult = {
  readonly benchmark: 'push'
  readonly machine: Readonly<Record<string, string | number>>
  readonly rounds: number
  readonly images: readonly ImageResult[]
  readonly unchanged: UnchangedResult | undefined
  readonly large: readonly LargeResult[]
  readonly curves: readonly ImageResult[]
  readonly figures: readonly Figure[]
}
