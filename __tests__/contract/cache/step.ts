/**
 * Does one thing with the store cache as a step of a job would, inside of a machine: what is asked comes as JSON by
 * argv, the answer goes as one line of JSON to stdout.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { openCache } from '../../../src/cache/open.ts'
import { type SaveOptions, type SaveReport, saveCache } from '../../../src/cache/save.ts'
import type { Stats } from '../../../src/cache/server.ts'
import { stopSubstituter } from '../../../src/cache/stop.ts'
import type { Log } from '../../../src/util/log.ts'

/** What two steps of one job share. */
export type Job = { readonly scope?: string; readonly runId?: string }

export type OpenStep = Job & { readonly do: 'open' }
export type SaveStep = Job & { readonly do: 'save' } & Partial<SaveOptions> &
  Pick<SaveOptions, 'nix' | 'started'>
export type StopStep = {
  readonly do: 'stop'
  readonly server: { readonly url: string; readonly pid: number }
}
export type Step = OpenStep | SaveStep | StopStep

export type Said = { readonly log: readonly string[]; readonly warnings: readonly string[] }
export type Opened = Said & {
  readonly status: string
  readonly key?: string
  readonly server?: { readonly url: string; readonly pid: number }
  readonly paths: number
  readonly layers: readonly string[]
}
export type Answer = {
  readonly open: Opened
  readonly save: Said & SaveReport
  readonly stop: { readonly stats: Stats | undefined }
}

const root = join(import.meta.dirname, '../../..')
const lines: string[] = []
const warnings: string[] = []
const log: Log = {
  debug: message => lines.push(message),
  info: message => lines.push(message),
  warning: message => warnings.push(message),
  group: (_title, work) => work(),
}

const step: Step = JSON.parse(process.argv[2] ?? '')
process.stdout.write(`${JSON.stringify(await perform())}\n`)

async function perform(): Promise<unknown> {
  if (step.do === 'stop') return { stats: await stopSubstituter(step.server) }
  const folder = join(process.env.RUNNER_TEMP ?? '', 'nix-image-action')
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o700)
  const common = {
    ...{ folder, log, env: process.env, system: 'x86_64-linux', scope: step.scope ?? '' },
    client: join(root, 'src/cache-client.ts'),
  }
  if (step.do === 'open') {
    const { index, ...rest } = await openCache({ ...common, substituter: join(root, 'src/substituter.ts') })
    return { ...rest, paths: index.paths.size, layers: [...index.layers.keys()], log: lines, warnings }
  }
  const report = await saveCache({
    ...{ closure: [], exclude: [], outPaths: [], costs: {}, served: undefined, key: undefined },
    ...{ limit: 4 * 1024 ** 3, upstream: false, runId: '1', runAttempt: '1' },
    ...common,
    ...step,
    layers: new Map(Object.entries(step.layers ?? {})),
  })
  return { ...report, log: lines, warnings }
}
