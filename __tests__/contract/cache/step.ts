/**
 * Does one thing with the store cache as a step of a job would, inside of a machine: what is asked comes as JSON by
 * argv, the answer goes as one line of JSON to stdout.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { substitute } from '../../../src/build/substitute.ts'
import { type Brought, bringPaths } from '../../../src/cache/bring.ts'
import { readIndex } from '../../../src/cache/index-file.ts'
import { openedIndexFile, type Refs } from '../../../src/cache/indexes.ts'
import type { Wanted } from '../../../src/cache/needs.ts'
import { openCache } from '../../../src/cache/open.ts'
import { saveCache } from '../../../src/cache/save.ts'
import type { SaveOptions, SaveReport } from '../../../src/cache/save-model.ts'
import type { Stats } from '../../../src/cache/server.ts'
import { stopSubstituter } from '../../../src/cache/stop.ts'
import { httpSender } from '../../../src/registry/transport.ts'
import { actionsCaches } from '../../../src/runner/caches.ts'
import type { Log } from '../../../src/util/log.ts'
import { defaultRepository } from '../../harness/cache-service/tokens.ts'

/** What two steps of one job share. */
export type Job = { readonly scope?: string } & Partial<Refs>

export type OpenStep = Job & { readonly do: 'open' }
export type SaveStep = Job & { readonly do: 'save' } & Partial<SaveOptions> &
  Pick<SaveOptions, 'nix' | 'started'>
export type StopStep = {
  readonly do: 'stop'
  readonly server: { readonly url: string; readonly pid: number }
}
/** Brings ahead of a build what the outputs of derivations need. */
export type BringStep = {
  readonly do: 'bring'
  readonly nix: SaveOptions['nix']
  readonly url: string
  readonly wanted: readonly Wanted[]
}
export type Step = OpenStep | SaveStep | StopStep | BringStep

export type Said = { readonly log: readonly string[]; readonly warnings: readonly string[] }
export type Opened = Said & {
  readonly status: string
  readonly key?: string
  readonly base?: string
  readonly server?: { readonly url: string; readonly pid: number }
  readonly paths: number
  readonly layers: readonly string[]
}
export type Answer = {
  readonly open: Opened
  readonly save: Said & SaveReport
  readonly stop: { readonly stats: Stats | undefined }
  readonly bring: Said & Brought
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
  if (step.do === 'bring') {
    const { index } = await readIndex(openedIndexFile(folder))
    if (index === undefined) throw new Error('there is no index')
    return {
      ...(await bringPaths(step.wanted, {
        ...step,
        index,
        fetch: paths => substitute({ ...step, paths, log }),
        log,
      })),
      log: lines,
      warnings,
    }
  }
  const common = {
    ...{ folder, log, env: process.env, system: 'x86_64-linux', scope: step.scope ?? '' },
    ...{ ref: step.ref ?? 'refs/heads/main', bases: step.bases ?? ['refs/heads/main'] },
    client: join(root, 'dist/cache-client.js'),
  }
  if (step.do === 'open') {
    const { index, ...rest } = await openCache({ ...common, substituter: join(root, 'src/substituter.ts') })
    return { ...rest, paths: index.paths.size, layers: [...index.layers.keys()], log: lines, warnings }
  }
  const { API_TOKEN: token, GITHUB_API_URL: apiUrl = '' } = process.env
  const send = httpSender(process.env)
  const report = await saveCache({
    api: token ? actionsCaches({ apiUrl, repository: defaultRepository, token, send }) : undefined,
    ...{ closure: [], exclude: [], outPaths: [], costs: {}, served: undefined, key: undefined },
    narWorker: join(root, 'src/nar-worker.ts'),
    ...{ limit: 4 * 1024 ** 3, upstream: false, shared: false },
    ...step,
    ...common,
    // A tenth of the time: what is waited for is on this machine.
    wait: time => setTimeout(time / 10),
    layers: new Map(Object.entries(step.layers ?? {})),
    images: new Map(),
  })
  return { ...report, log: lines, warnings }
}
