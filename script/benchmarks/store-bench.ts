import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { CacheService } from '../../__tests__/harness/cache-service/service.ts'
import { reach } from '../../src/cache/closure.ts'
import { copyFrom, copyTo } from './copy-peer.ts'
import * as ours from './ours.ts'
import { type Scenario, type StoreResult, type Tool, tools } from './results.ts'
import type { Sample } from './sample.ts'
import { Bench, type Setting } from './setting.ts'
import type { StoreSpec } from './stores.ts'
import { tar } from './tar-peer.ts'

export type StoreOptions = {
  readonly rounds: number
  /** What of it is measured. */
  readonly save: boolean
  readonly restore: boolean
  readonly say: (line: string) => void
}

type Work = Partial<Record<Tool, () => Promise<Sample>>>

/** Measures all tools with one store, in turns. */
export async function benchStore(
  setting: Setting,
  spec: StoreSpec,
  { rounds, save, restore, say }: StoreOptions,
): Promise<StoreResult> {
  const samples: Partial<Record<Scenario, Partial<Record<Tool, Sample[]>>>> = {}
  {
    await using full = await Bench.create(setting)
    const prepared = await fill(setting, full, spec, say)
    const work: Partial<Record<Scenario, Work>> = {
      ...(save ? savings(setting, full, spec, prepared) : {}),
      ...(restore ? restores(setting, spec, prepared) : {}),
    }
    for (let round = 0; round < rounds; round++) {
      for (const [scenario, each] of Object.entries(work) as [Scenario, Work][]) {
        for (const tool of [...tools.slice(round % tools.length), ...tools.slice(0, round % tools.length)]) {
          const sample = await each[tool]?.()
          if (sample === undefined) continue
          say(
            `${spec.name}: ${round + 1}. ${scenario}, ${tool}: ${sample.seconds.toFixed(2)} s, CPU ${sample.cpu.toFixed(2)} s`,
          )
          const row = samples[scenario] ?? {}
          samples[scenario] = { ...row, [tool]: [...(row[tool] ?? []), sample] }
        }
      }
    }
  }
  // The archive does the same whatever is new or needed.
  const same = (scenario: Scenario, as: Scenario) => {
    const row = samples[scenario]
    const { tar } = samples[as] ?? {}
    if (row !== undefined && tar !== undefined) row.tar = tar
  }
  same('save 5 % new', 'save everything')
  same('restore a tenth', 'restore everything')
  same('restore nothing', 'restore everything')
  const all = [...spec.old, ...spec.added]
  const sum = (of: (path: (typeof all)[number]) => number) => all.reduce((total, path) => total + of(path), 0)
  return {
    ...{ name: spec.name, paths: all.length, scenarios: samples },
    ...{ files: sum(({ files }) => files), bytes: sum(({ bytes }) => bytes) },
  }
}

type Prepared = {
  /** Holds what was there before, as ours; all, as ours and as an archive; nothing. */
  readonly before: CacheService
  readonly complete: CacheService
  readonly empty: CacheService
  /** Binary caches in the machine, with what was there before and with all. */
  readonly copies: { readonly before: string; readonly complete: string }
  /** The second one as fresh machines see it. */
  readonly copy: string
}

const key = 'archive'

/** Makes the store, and what each tool has of it from an earlier job. */
async function fill(
  setting: Setting,
  full: Bench,
  spec: StoreSpec,
  say: (line: string) => void,
): Promise<Prepared> {
  const prepared = {
    ...{ before: await setting.service(), complete: await setting.service(), empty: await setting.service() },
    copies: { before: '/var/tmp/before', complete: '/var/tmp/complete' },
    copy: join(setting.folder, `copy-${spec.name}`),
  }
  say(`${spec.name}: the store is made`)
  await full.add(spec.old)
  const tops = spec.oldRoots.map(name => `/nix/store/${name}`)
  await ours.save(setting, full, prepared.before, { outPaths: tops, outcome: 'saved' })
  await copyTo(full, prepared.copies.before, tops)
  await full.add(spec.added)
  const outPaths = [`/nix/store/${spec.root}`]
  await ours.save(setting, full, prepared.complete, { outPaths, outcome: 'saved' })
  await copyTo(full, prepared.copies.complete, outPaths)
  await tar(setting, full, prepared.complete, { do: 'save', key, outcome: 'saved' })
  await promisify(execFile)('cp', ['-r', full.machine.path(prepared.copies.complete), prepared.copy])
  return prepared
}

function savings(
  setting: Setting,
  full: Bench,
  spec: StoreSpec,
  { before, complete, empty, copies }: Prepared,
): Partial<Record<Scenario, Work>> {
  const outPaths = [`/nix/store/${spec.root}`]
  const saveTo = (service: CacheService, outcome: 'saved' | 'unchanged') =>
    asBefore(service, () => ours.save(setting, full, service, { outPaths, outcome }))
  const copying = async (base: string | undefined) => {
    const folder = '/var/tmp/copying'
    if (base !== undefined) await full.nix(['cp', '-rl', base, folder])
    const sample = await copyTo(full, folder, outPaths)
    await full.nix(['rm', '-rf', folder])
    return sample
  }
  return {
    'save everything': {
      ours: () => saveTo(empty, 'saved'),
      tar: () => asBefore(empty, () => tar(setting, full, empty, { do: 'save', key, outcome: 'saved' })),
      copy: () => copying(undefined),
    },
    'save 5 % new': { ours: () => saveTo(before, 'saved'), copy: () => copying(copies.before) },
    'save nothing new': {
      ours: () => saveTo(complete, 'unchanged'),
      tar: () => tar(setting, full, complete, { do: 'save', key, outcome: 'unchanged' }),
      copy: () => copying(copies.complete),
    },
  }
}

/** Runs something, and removes the entries that it has added. */
export async function asBefore(service: CacheService, work: () => Promise<Sample>): Promise<Sample> {
  const keys = new Set(service.entries().map(entry => entry.key))
  const sample = await work()
  for (const entry of service.entries()) if (!keys.has(entry.key)) service.delete(entry.key)
  return sample
}

function restores(
  setting: Setting,
  spec: StoreSpec,
  { complete, copy }: Prepared,
): Partial<Record<Scenario, Work>> {
  const all = [...spec.old, ...spec.added]
  const references = new Map(all.map(path => [path.name, path.references]))
  const onFresh = async (wanted: string | undefined, work: (fresh: Bench) => Promise<Sample>) => {
    await using fresh = await Bench.create(setting)
    const sample = await work(fresh)
    const needed = reach(wanted === undefined ? [] : [wanted], path => references.get(path))
    const valid = await fresh.valid(all.filter(({ name }) => needed.has(name)))
    if (valid !== needed.size) throw new Error(`${needed.size - valid} paths are not in the store`)
    return sample
  }
  const bringing = (wanted: string): Work => ({
    ours: () => onFresh(wanted, fresh => ours.restore(setting, fresh, complete, [`/nix/store/${wanted}`])),
    copy: () => onFresh(wanted, fresh => copyFrom(fresh, copy, [`/nix/store/${wanted}`])),
  })
  return {
    'restore everything': {
      ...bringing(spec.root),
      tar: () =>
        onFresh(spec.root, fresh =>
          tar(setting, fresh, complete, { do: 'restore', key, outcome: 'restored' }),
        ),
    },
    'restore a tenth': bringing(spec.tenth),
    'restore nothing': {
      ours: () =>
        onFresh(undefined, fresh => ours.restore(setting, fresh, complete, [setting.release.storePath])),
    },
  }
}
