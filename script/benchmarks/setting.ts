import { execFile } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type CacheService, startCacheService } from '../../__tests__/harness/cache-service/service.ts'
import { Machine } from '../../__tests__/harness/machine.ts'
import type { Link } from '../../__tests__/harness/network.ts'
import { expect, installByHand } from '../../__tests__/harness/nix-by-hand.ts'
import { writeBundle } from '../bundle/bundle.ts'
import { readOwnCode } from '../bundle/own.ts'
import { bundleVendor } from '../bundle/vendor.ts'
import { type NixTarball, nixRelease, repository } from '../parts/paths.ts'
import { type Contents, writePath } from './contents.ts'
import type { PathSpec } from './stores.ts'

/** Programs that run in machines, below script/benchmarks/. */
const steps = { ours: 'ours-step', tar: 'tar-step', index: 'index-step', push: 'push/step' } as const

/** What all benchmarks of one run share. */
export type Setting = AsyncDisposable & {
  /** Below the repository, so that machines see it too; gone at the end. */
  readonly folder: string
  /** Made as script/build makes dist/: what users run starts faster than what tests run. */
  readonly programs: Readonly<Record<keyof typeof steps, string>>
  readonly release: NixTarball
  /** Starts a cache service that goes with the setting. */
  service(link?: Link): Promise<CacheService>
}

export async function prepare(): Promise<Setting> {
  const root = join(repository, '.bench')
  await mkdir(root, { recursive: true })
  for (const name of await readdir(root)) {
    // What a benchmark that was killed has left.
    const pid = /^run-(\d+)-/.exec(name)?.[1]
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await remove(join(root, name))
  }
  const folder = await mkdtemp(join(root, `run-${process.pid}-`))
  const services: CacheService[] = []
  const [release] = nixRelease().releases
  if (release === undefined) throw new Error('there is no Nix release to install')
  return {
    ...{ folder, release, programs: await makePrograms(join(folder, 'code')) },
    async service(link) {
      const directory = join(folder, `service-${services.length}`)
      const service = await startCacheService({ directory, ...(link === undefined ? {} : { link }) })
      services.push(service)
      return service
    },
    async [Symbol.asyncDispose]() {
      for (const service of services) await service.close()
      await remove(folder)
    },
  }
}

/**
 * What is to be told of the machine beside what was measured on it.
 * @param load of the machine before
 */
export function machineFacts({ release }: Setting, load: string): Readonly<Record<string, string | number>> {
  return {
    processors: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    Nix: release.version,
    'Node.js': process.versions.node,
    'load before': load,
  }
}

async function remove(folder: string): Promise<void> {
  // Nix makes what it writes unwritable.
  await promisify(execFile)('chmod', ['-R', 'u+w', folder])
  await rm(folder, { recursive: true, force: true })
}

async function makePrograms(folder: string): Promise<Setting['programs']> {
  const names = Object.entries(steps)
  // The others are started by the action itself.
  const started = ['cache-client', 'substituter', 'nar-worker', 'layer-worker', 'deflate-thread'].map(
    name => `src/${name}.ts`,
  )
  const own = await readOwnCode(repository, [
    ...names.map(([, file]) => `script/benchmarks/${file}.ts`),
    ...started,
  ])
  // The packages may be linked from another checkout.
  const root = dirname(realpathSync(join(repository, 'node_modules')))
  const vendor = await bundleVendor(root, own.packages)
  await writeBundle(folder, new Map([...own.files, ...vendor.files, ['package.json', '{"type":"module"}']]))
  const built = names.map(([name, file]) => [name, join(folder, `script/benchmarks/${file}.js`)])
  return Object.fromEntries(built) as Setting['programs']
}

/** A fresh machine with Nix and a runner's folders, in which a job can begin. Its /nix is in memory. */
export class Bench implements AsyncDisposable {
  readonly machine: Machine
  readonly workspace: string
  readonly temp: string
  /** Store paths of Nix itself. */
  readonly closure: readonly string[]
  readonly release: NixTarball
  readonly #env: Readonly<Record<string, string>>

  private constructor(machine: Machine, release: NixTarball, env: Readonly<Record<string, string>>) {
    this.machine = machine
    this.release = release
    this.#env = env
    const work = join(machine.user.home, 'work')
    this.workspace = join(work, 'repo/repo')
    this.temp = join(work, '_temp')
    this.closure = readdirSync(release.store).map(name => join('/nix/store', name))
  }

  static async create({ release }: Setting): Promise<Bench> {
    const machine = await Machine.create({ user: 'root' })
    const bench = new Bench(machine, release, await installByHand(machine, release))
    await expect(machine.run(['mkdir', '-p', bench.workspace, bench.temp]))
    return bench
  }

  /** The environment of a job, with a service if there is one. */
  env(service?: CacheService): Readonly<Record<string, string>> {
    // The action writes a configuration of its own.
    const { NIX_CONFIG: _, ...env } = this.#env
    return {
      ...env,
      ...service?.env(service.token({ write: 'refs/heads/main' })),
      GITHUB_WORKSPACE: this.workspace,
      RUNNER_TEMP: this.temp,
    }
  }

  /** Makes store paths and tells Nix of them, which takes their hashes itself. */
  async add(paths: readonly PathSpec[], contents?: Contents): Promise<void> {
    const store = this.machine.path('/nix/store')
    for (const spec of paths) writePath(store, spec, contents)
    const lines = paths.flatMap(({ name, references }) => [
      ...[`/nix/store/${name}`, '', `${references.length}`],
      ...references.map(reference => `/nix/store/${reference}`),
    ])
    await this.nix(['nix-store', '--register-validity'], lines.map(line => `${line}\n`).join(''))
  }

  /** Runs a command as a step of a job. It must succeed and print JSON. */
  async step<T>(program: string, step: unknown, service?: CacheService): Promise<T> {
    const argv = [process.execPath, program, JSON.stringify(step)]
    return JSON.parse(await expect(this.machine.run(argv, { env: this.env(service) })))
  }

  /** Runs one of Nix's programs, which must succeed; gives its stdout. */
  nix(argv: readonly string[], stdin?: string): Promise<string> {
    return expect(this.machine.run(argv, { env: this.#env, ...(stdin === undefined ? {} : { stdin }) }))
  }

  /** How many of the paths are valid. Fails when one that is has no files. */
  async valid(paths: readonly PathSpec[]): Promise<number> {
    const listed = await this.nix(['nix', 'path-info', '--all'])
    const valid = new Set(listed.split('\n'))
    const present = new Set(readdirSync(this.machine.path('/nix/store')))
    const found = paths.filter(({ name }) => valid.has(`/nix/store/${name}`))
    for (const { name } of found) if (!present.has(name)) throw new Error(`${name} is valid and not there`)
    return found.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.dispose()
  }
}
