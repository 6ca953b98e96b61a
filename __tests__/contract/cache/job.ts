import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NixTarball } from '../../../script/parts/paths.ts'
import type { CacheService } from '../../harness/cache-service/service.ts'
import { Machine, type Job as Running, type RunResult } from '../../harness/machine.ts'
import { expect, installByHand, plainConfig } from '../../harness/nix-by-hand.ts'
import type { Answer, Job, Opened, SaveStep, Step } from './step.ts'

export type JobOptions = Job & {
  readonly service: CacheService
  /** The job's token. @default one that writes for the default branch */
  readonly token?: string
  /** Its token for GitHub's REST API. @default none */
  readonly apiToken?: string
  /** Variables that the runner sets besides. */
  readonly env?: Readonly<Record<string, string>>
  /** Where the runner has its folders: it differs from one kind of runner to the next. @default /root/work */
  readonly work?: string
}

/** A machine with Nix, for one job after the other. */
export class CacheMachine implements AsyncDisposable {
  readonly machine: Machine
  readonly release: NixTarball
  readonly #env: Readonly<Record<string, string>>
  #job: CacheJob | undefined

  private constructor(machine: Machine, release: NixTarball, env: Readonly<Record<string, string>>) {
    this.machine = machine
    this.release = release
    this.#env = env
  }

  static async create(release: NixTarball): Promise<CacheMachine> {
    const machine = await Machine.create({ user: 'root' })
    return new CacheMachine(machine, release, await installByHand(machine, release))
  }

  /** The next job: as on a runner that is thrown away, nothing of the one before is left. */
  async begin(options: JobOptions): Promise<CacheJob> {
    await this.#job?.end()
    const { service, work = '/root/work' } = options
    const closure = readdirSync(this.release.store).map(name => join('/nix/store', name))
    const others = readdirSync(this.machine.path('/nix/store'))
      .filter(name => /^\w{32}-/.test(name) && !name.endsWith('.lock'))
      .map(name => join('/nix/store', name))
      .filter(path => !closure.includes(path))
    if (others.length > 0) {
      await expect(this.machine.run(['nix-store', '--delete', ...others], { env: this.#env }))
    }
    const workspace = join(work, 'repo/repo')
    const temp = join(work, '_temp')
    rmSync(this.machine.path(work), { recursive: true, force: true })
    await expect(this.machine.run(['mkdir', '-p', workspace, temp]))
    const env = {
      ...this.#env,
      ...service.env(options.token ?? service.token({ write: 'refs/heads/main' })),
      GITHUB_WORKSPACE: workspace,
      RUNNER_TEMP: temp,
      ...options.env,
      ...(options.apiToken === undefined ? {} : { API_TOKEN: options.apiToken }),
      // Each step and each transfer is a process that loads the same libraries.
      NODE_COMPILE_CACHE: '/tmp/compiled',
    }
    const { scope, ref, bases } = options
    this.#job = new CacheJob(this, env, closure, {
      ...(scope === undefined ? {} : { scope }),
      ...(ref === undefined ? {} : { ref }),
      ...(bases === undefined ? {} : { bases }),
    })
    return this.#job
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.dispose()
  }
}

/** A job whose steps use the store cache. */
export class CacheJob {
  readonly machine: Machine
  readonly env: Readonly<Record<string, string>>
  readonly #release: NixTarball
  readonly #closure: readonly string[]
  readonly #job: Job
  readonly #started = Math.floor(Date.now() / 1000)
  #opened: Opened | undefined

  constructor(
    { machine, release }: CacheMachine,
    env: Readonly<Record<string, string>>,
    closure: readonly string[],
    job: Job,
  ) {
    this.machine = machine
    this.env = env
    this.#release = release
    this.#closure = closure
    this.#job = job
  }

  /** Opens the cache, as main does. */
  async open(): Promise<Opened> {
    this.#opened = await this.#step({ do: 'open', ...this.#job })
    return this.#opened
  }

  /** Builds an expression with what was opened as a substituter. */
  async build(expression: string): Promise<RunResult & { readonly out: string }> {
    const { server } = this.#opened ?? {}
    const settings = [
      'fallback = true',
      'always-allow-substitutes = true',
      ...(server === undefined ? [] : [`extra-substituters = ${server.url}`]),
    ]
    const result = await this.machine.run(['nix-build', '--no-out-link', '-E', expression], {
      env: { ...this.env, NIX_CONFIG: `${plainConfig}${settings.join('\n')}\n` },
    })
    return { ...result, out: result.stdout.trim() }
  }

  /** Brings ahead of a build what the expression's outputs need, as main does after it has evaluated. */
  async bring(expression: string): Promise<Answer['bring']> {
    const { server } = this.#opened ?? {}
    assert.ok(server !== undefined)
    const env = { ...this.env, NIX_CONFIG: plainConfig }
    const drvPath = (await expect(this.machine.run(['nix-instantiate', '-E', expression], { env }))).trim()
    const { version, storePath } = this.#release
    const nix = { version, bin: join(storePath, 'bin'), system: 'x86_64-linux', env }
    return this.#step({ do: 'bring', nix, url: server.url, wanted: [{ drvPath, outputs: ['out'] }] })
  }

  /** Saves the cache, as post does. */
  async save(more: Partial<SaveStep> = {}): Promise<Answer['save']> {
    return this.#step(await this.#saveStep(more))
  }

  /** Begins to save and is killed at a moment, as when a runner is lost; then nothing of it is left. */
  async saveUntil(moment: Promise<unknown>): Promise<void> {
    const { done, kill } = this.#start(await this.#saveStep({}))
    await moment
    kill()
    await done
    const list = ['ps', '-A', '-o', 'args']
    while (/cache-client/.test(await expect(this.machine.run(list)))) {}
  }

  /** A file or folder of the action's in RUNNER_TEMP, as the host sees it. */
  path(name: string): string {
    return this.machine.path(join(this.env.RUNNER_TEMP ?? '', 'nix-image-action', name))
  }

  /** Ends the substituter. */
  async stop(): Promise<Answer['stop']> {
    const { server } = this.#opened ?? {}
    assert.ok(server !== undefined)
    return this.#step({ do: 'stop', server })
  }

  /** What the runner does with processes that a job has left. */
  async end(): Promise<void> {
    if (this.#opened?.server !== undefined) await this.#step({ do: 'stop', server: this.#opened.server })
  }

  async #saveStep(more: Partial<SaveStep>): Promise<SaveStep> {
    const { server, key, base } = this.#opened ?? {}
    const served = server === undefined ? undefined : (await this.#step({ do: 'stop', server })).stats
    const { ACTIONS_RUNTIME_TOKEN: _, ...env } = this.env
    const { version, storePath } = this.#release
    return {
      ...{ do: 'save', ...this.#job, started: this.#started, closure: this.#closure },
      nix: { version, bin: join(storePath, 'bin'), system: 'x86_64-linux', env },
      ...(served === undefined ? {} : { served }),
      ...(key === undefined ? {} : { key }),
      ...(base === undefined ? {} : { base }),
      ...more,
    }
  }

  async #step<T extends Step>(step: T): Promise<Answer[T['do']]> {
    const result = await this.#start(step).done
    assert.equal(result.code, 0, result.stderr)
    return JSON.parse(result.stdout)
  }

  #start(step: Step): Running {
    const program = join(import.meta.dirname, 'step.ts')
    return this.machine.start([process.execPath, program, JSON.stringify(step)], {
      env: this.env,
      cwd: this.env.GITHUB_WORKSPACE ?? '/',
    })
  }
}
