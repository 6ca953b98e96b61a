import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type BinaryCache, serveBinaryCache, signingKey } from '../../__tests__/harness/binary-cache.ts'
import type { CacheService } from '../../__tests__/harness/cache-service/service.ts'
import { type Link, startNetwork } from '../../__tests__/harness/network.ts'
import * as ours from './ours.ts'
import type { UpstreamResult, UpstreamStore } from './results.ts'
import type { Sample } from './sample.ts'
import { Bench, machineFacts, prepare, type Setting } from './setting.ts'
import { asBefore } from './store-bench.ts'
import { describeStore, type StoreSpec } from './stores.ts'

/**
 * Of the service: a request to GitHub's takes tens of milliseconds, and restores on its runners have been seen at 50 to
 * 85 MB/s, by clients of several connections. Of public caches: what a content delivery network gives near by, what it
 * gives usually, and one that is far away or busy.
 */
const links = {
  'our cache': { roundTrip: 60, connection: 100e6, total: 100e6 },
  'upstream, near': { roundTrip: 10, connection: 50e6, total: 100e6 },
  upstream: { roundTrip: 30, connection: 20e6, total: 100e6 },
  'upstream, far': { roundTrip: 100, connection: 5e6, total: 100e6 },
} as const satisfies Readonly<Record<string, Link>>
const { 'our cache': serviceLink, ...upstreamLinks } = links

export type UpstreamOptions = {
  readonly rounds: number
  /** Names of stores: see `parseSize`. */
  readonly sizes: readonly string[]
  /** Told what is being done. */
  readonly say: (line: string) => void
}

/** Measures what it saves and what it costs to keep in our cache what a public binary cache has as well. */
export async function benchUpstream({ rounds, sizes, say }: UpstreamOptions): Promise<UpstreamResult> {
  const load = loadavg()[0]?.toFixed(1) ?? ''
  await using setting = await prepare()
  const stores: UpstreamStore[] = []
  for (const size of sizes) stores.push(await benchStore(setting, describeStore(size), rounds, say))
  return { benchmark: 'upstream', machine: machineFacts(setting, load), rounds, links, stores }
}

type Prepared = {
  readonly key: ReturnType<typeof signingKey>
  /** A binary cache as cache.nixos.org is: signed, compressed by xz. */
  readonly folder: string
  /** Our cache after a job that has kept what upstream has, and after one that has not. */
  readonly kept: CacheService
  readonly lean: CacheService
  readonly empty: CacheService
}

async function benchStore(
  setting: Setting,
  spec: StoreSpec,
  rounds: number,
  say: UpstreamOptions['say'],
): Promise<UpstreamStore> {
  await using full = await Bench.create(setting)
  const prepared = await fill(setting, full, spec, say)
  const { key, folder, kept, lean, empty } = prepared
  await using upstream = await serveBinaryCache(folder)
  const outPaths = [`/nix/store/${spec.root}`]
  const saving = (keepUpstream: boolean) => () =>
    asBefore(empty, () =>
      ours.save(setting, full, empty, {
        ...{ outPaths, outcome: 'saved', keepUpstream, upstream: { key: key.public } },
      }),
    )
  const restoring = (service: CacheService, link: Link) => () =>
    restore(setting, spec, { service, upstream, link, key: key.public, fromUpstream: service === lean })
  const work: Record<string, () => Promise<Sample>> = {
    'save without': saving(false),
    'save with': saving(true),
    'from our cache': restoring(kept, links.upstream),
    ...Object.fromEntries(
      Object.entries(upstreamLinks).map(([name, link]) => [`from ${name}`, restoring(lean, link)]),
    ),
  }
  const rows: Record<string, Sample[]> = Object.fromEntries(Object.keys(work).map(name => [name, []]))
  const names = Object.keys(work)
  for (let round = 0; round < rounds; round++) {
    // No two rounds in the same order: what comes first finds the machine otherwise than what comes last.
    const first = (round * 2) % names.length
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      const sample = await work[name]?.()
      if (sample === undefined) continue
      rows[name]?.push(sample)
      say(
        `${spec.name}: ${round + 1}. ${name}: ${sample.seconds.toFixed(2)} s, CPU ${sample.cpu.toFixed(2)} s`,
      )
    }
  }
  const all = [...spec.old, ...spec.added]
  const sum = (of: (path: (typeof all)[number]) => number) => all.reduce((total, path) => total + of(path), 0)
  return {
    ...{ name: spec.name, paths: all.length, rows },
    ...{ files: sum(({ files }) => files), bytes: sum(({ bytes }) => bytes) },
    ...{ upstreamBytes: await sizeOf(join(folder, 'nar')), cacheBytes: heldBy(kept) - heldBy(lean) },
  }
}

/** Makes the store: all but the root are upstream's, the root is what a job has built. */
async function fill(
  setting: Setting,
  full: Bench,
  spec: StoreSpec,
  say: UpstreamOptions['say'],
): Promise<Prepared> {
  say(`${spec.name}: the store is made`)
  const all = [...spec.old, ...spec.added]
  await full.add(all)
  const key = signingKey('upstream-1')
  await full.machine.plant('/root/key', key.secret)
  const theirs = all.filter(({ name }) => name !== spec.root).map(({ name }) => `/nix/store/${name}\n`)
  await full.nix(['nix', 'store', 'sign', '--key-file', '/root/key', '--stdin'], theirs.join(''))
  say(`${spec.name}: upstream gets its paths, by xz`)
  const made = '/var/tmp/upstream'
  await full.nix(['nix', 'copy', '--stdin', '--to', `file://${made}?compression=xz`], theirs.join(''))
  const folder = join(setting.folder, `upstream-${spec.name}`)
  await promisify(execFile)('cp', ['-r', full.machine.path(made), folder])
  const services = [serviceLink, serviceLink, serviceLink].map(link => setting.service(link))
  const [kept, lean, empty] = (await Promise.all(services)) as [CacheService, CacheService, CacheService]
  const saved = {
    outPaths: [`/nix/store/${spec.root}`],
    outcome: 'saved',
    upstream: { key: key.public },
  } as const
  await ours.save(setting, full, kept, { ...saved, keepUpstream: true })
  await ours.save(setting, full, lean, { ...saved, keepUpstream: false })
  return { key, folder, kept, lean, empty }
}

/** @throws Error when a path is not there afterwards, or has come from elsewhere than it should */
async function restore(
  setting: Setting,
  spec: StoreSpec,
  from: {
    readonly service: CacheService
    readonly upstream: BinaryCache
    readonly link: Link
    readonly key: string
    readonly fromUpstream: boolean
  },
): Promise<Sample> {
  const { service, upstream, link, key, fromUpstream } = from
  await using fresh = await Bench.create(setting)
  await using network = await startNetwork(upstream.port, link)
  upstream.served.length = 0
  const url = `http://127.0.0.1:${network.port}`
  const sample = await ours.restore(setting, fresh, service, [`/nix/store/${spec.root}`], { url, key })
  const all = [...spec.old, ...spec.added]
  const missing = all.length - (await fresh.valid(all))
  if (missing > 0) throw new Error(`${missing} paths are not in the store`)
  const nars = upstream.served.filter(path => path.startsWith('/nar/')).length
  const expected = fromUpstream ? all.length - 1 : 0
  if (nars !== expected) throw new Error(`${nars} paths came from upstream, not ${expected}`)
  return sample
}

function heldBy(service: CacheService): number {
  return service.entries().reduce((sum, { size }) => sum + size, 0)
}

async function sizeOf(folder: string): Promise<number> {
  const sizes = (await readdir(folder)).map(async name => (await stat(join(folder, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
