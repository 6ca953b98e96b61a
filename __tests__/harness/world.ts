import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type NixTarball, nixRelease, partsKept, repository } from '../../script/parts/paths.ts'
import { entries } from '../../src/cache/entries.ts'
import { nixKey } from '../../src/cache/keys.ts'
import { archiveName } from '../../src/nix/keep.ts'
import { silent } from '../../src/util/log.ts'
import { type CacheService, startCacheService } from './cache-service/service.ts'
import { materialiseExamples } from './example.ts'
import { type FlakeTemplate, materialise } from './flake.ts'
import { Machine, type MachineOptions } from './machine.ts'
import { expect } from './nix-by-hand.ts'
import { type NixMirror, nixMirror } from './nix-mirror.ts'
import { type Registry, startRegistry } from './registry/registry.ts'
import { type Event, pushToDefaultBranch } from './runner/events.ts'
import { Job, type PostResult } from './runner/job.ts'
import type { StepResult } from './runner/step.ts'

export type WorldOptions = {
  /** With `examples` there is a repository for each of them, and runs say which one. */
  readonly template: FlakeTemplate | 'examples'
  /** Where registry and cache service keep things. @default a temporary folder that goes with the world */
  readonly directory?: string
  /**
   * Whether the newest Nix is in the Actions cache from the beginning, as an earlier run has left it: where a test is not
   * about that, its first job need not unpack the release and compress it anew.
   * @default false
   */
  readonly keptNix?: boolean
}

export type RunOptions = {
  readonly user?: MachineOptions['user']
  /** Whose repository is checked out, where the world has those of examples. */
  readonly example?: string
  readonly machine?: Partial<MachineOptions>
  /** A machine of the user's own, as earlier jobs left it; it stays when the job is disposed of. */
  readonly on?: Machine
  readonly release?: NixTarball
  readonly event?: Event
  /** Inputs besides those by which the action finds the world's servers. */
  readonly with?: Readonly<Record<string, string>>
  /** Given to the runner's side only. */
  readonly trace?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** What the runner tells only to actions, besides where the cache service is. */
  readonly services?: Readonly<Record<string, string>>
  /** Which run of a workflow it is. @default the first attempt of always the same */
  readonly workflow?: { readonly run: string; readonly attempt?: number }
  /** Changes the checkout before the action runs, in the workspace. */
  readonly change?: (workspace: string, machine: Machine) => Promise<void>
  /** What the job may do with the cache service. @default read and save for its own ref */
  readonly cache?: Parameters<CacheService['token']>[0] | 'none'
}

/** A job that has been prepared: a machine, a checkout, and the inputs for the action. */
export type Prepared = AsyncDisposable & {
  readonly machine: Machine
  readonly job: Job
  readonly with: Readonly<Record<string, string>>
  /** Runs the action's main step. */
  main(): Promise<StepResult>
  /** Ends the job and gives the action's post step. */
  post(): Promise<PostResult>
}

export const actionFolder = repository
export const repositoryName = 'Org/App'
export const login = { username: 'octo-robot', password: 'ghp_TheRegistryPasswordOfTheWorld0123456789' }
export const githubToken = 'ghs_TheGithubTokenOfTheWorld0123456789abcd'

/**
 * All that the action meets outside its machine: a registry that wants tokens, a cache service, a mirror of Nix, and a
 * repository with a flake. Jobs on fresh machines run in it one after another.
 */
export class World implements AsyncDisposable {
  readonly registry: Registry
  readonly cache: CacheService
  readonly mirror: NixMirror
  /** A git repository on the host, or a folder of some; machines get copies. */
  readonly flake: string
  /** Where the registry keeps things. */
  readonly registryFolder: string
  readonly #folder: string

  private constructor(parts: {
    registry: Registry
    cache: CacheService
    mirror: NixMirror
    flake: string
    folder: string
    registryFolder: string
  }) {
    this.registry = parts.registry
    this.cache = parts.cache
    this.mirror = parts.mirror
    this.flake = parts.flake
    this.#folder = parts.folder
    this.registryFolder = parts.registryFolder
  }

  static async create({ template, directory, keptNix = false }: WorldOptions): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'world-'))
    const flake = join(folder, 'flake')
    if (template === 'examples') await materialiseExamples(flake)
    else await materialise({ template, dir: flake })
    const stays = directory ?? folder
    const registryFolder = join(stays, 'registry')
    const registry = await startRegistry({ tokens: login, directory: registryFolder })
    const cache = await startCacheService({ directory: join(stays, 'cache') })
    cache.githubToken({ repository: repositoryName }, githubToken)
    if (keptNix) await keepNix(cache, join(folder, 'kept'))
    return new World({ registry, cache, mirror: await nixMirror(), flake, folder, registryFolder })
  }

  get imageName(): string {
    return `${this.registry.host}/org/app`
  }

  /** A fresh machine that sees the repository. */
  machine(options: MachineOptions): Promise<Machine> {
    return Machine.create({ binds: [this.flake], ...options })
  }

  /** A fresh machine with a checkout of the repository, ready for the action. */
  async prepare(options: RunOptions = {}): Promise<Prepared> {
    const { user = 'root', event = pushToDefaultBranch({ repository: repositoryName }) } = options
    const release = options.release ?? nixRelease().releases[0]
    if (release === undefined) throw new Error('there is no Nix release to install')
    const machine = options.on ?? (await this.machine({ user, ...options.machine }))
    const job = await Job.start({
      machine,
      event,
      token: githubToken,
      selfHosted: options.on !== undefined,
      secrets: [login.password],
      services: {
        ...(options.cache === 'none'
          ? {}
          : this.cache.env(
              this.cache.token({ repository: repositoryName, write: event.ref, ...options.cache }),
            )),
        ...options.services,
      },
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.workflow === undefined
        ? {}
        : { runId: options.workflow.run, runAttempt: options.workflow.attempt ?? 1 }),
      ...(options.trace === undefined ? {} : { trace: options.trace }),
    })
    // As a checkout does that finds another.
    await expect(machine.run(['find', job.workspace, '-mindepth', '1', '-delete']))
    const checkout = join(this.flake, options.example ?? '')
    await expect(machine.run(['cp', '-r', '--no-preserve=ownership', `${checkout}/.`, job.workspace]))
    await options.change?.(job.workspace, machine)
    const inputs = {
      name: `${this.registry.host}/Org/App`,
      ...login,
      'nix-mirror': this.mirror.url,
      'nix-version': release.version,
      'nix-sha256': release.sha256,
      // No test needs the internet, and none waits for it.
      'nix-conf': 'substituters =',
      ...options.with,
    }
    return {
      machine,
      job,
      with: inputs,
      main: () => job.uses({ action: actionFolder, with: inputs, id: 'image' }),
      async post() {
        const { posts } = await job.end()
        const [post] = posts
        if (post === undefined) throw new Error('there was no post step')
        return post
      },
      [Symbol.asyncDispose]: async () => {
        if (options.on === undefined) await machine.dispose()
      },
    }
  }

  /** A whole job with nothing but the action: main, then post, on a machine that is gone afterwards. */
  async run(options: RunOptions = {}): Promise<{ main: StepResult; post: PostResult }> {
    await using prepared = await this.prepare(options)
    const main = await prepared.main()
    return { main, post: await prepared.post() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.registry.close(), this.cache.close(), this.mirror[Symbol.asyncDispose]()])
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Saves the newest Nix as a job for the default branch would. */
async function keepNix(cache: CacheService, folder: string): Promise<void> {
  const [release] = nixRelease().releases
  if (release === undefined) return
  const name = archiveName(release)
  await mkdir(folder)
  await copyFile(join(partsKept, name), join(folder, name))
  const token = cache.token({ repository: repositoryName, write: 'refs/heads/main' })
  const env = { PATH: process.env.PATH, HOME: folder, ...cache.env(token) }
  const client = join(repository, 'dist/cache-client.js')
  const saved = await entries({ client, env, log: silent }).save(join(folder, name), `${nixKey(name)}-1`)
  if (saved.outcome !== 'saved') throw new Error(`Nix could not be kept: ${JSON.stringify(saved)}`)
  cache.forget()
}
