import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { NixTarball } from '../../../script/parts/paths.ts'
import type { CacheService } from '../../harness/cache-service/service.ts'
import { Machine, type RunResult } from '../../harness/machine.ts'
import { expect, installByHand, plainConfig } from '../../harness/nix-by-hand.ts'
import type { Answer, Job, Opened, SaveStep, Step } from './step.ts'

export type JobOptions = Job & {
  readonly release: NixTarball
  readonly service: CacheService
  /** The job's token. @default one that writes for the default branch */
  readonly token?: string
  /** Where the runner has its folders: it differs from one kind of runner to the next. @default /root/work */
  readonly work?: string
  readonly nixSize?: string
}

/** A job on a machine of its own: Nix is installed, and steps use the store cache. */
export class CacheJob implements AsyncDisposable {
  readonly machine: Machine
  readonly env: Readonly<Record<string, string>>
  readonly closure: readonly string[]
  readonly started: number
  readonly #options: JobOptions
  #opened: Opened | undefined

  private constructor(
    machine: Machine,
    env: Readonly<Record<string, string>>,
    closure: readonly string[],
    started: number,
    options: JobOptions,
  ) {
    this.machine = machine
    this.env = env
    this.closure = closure
    this.started = started
    this.#options = options
  }

  static async create(options: JobOptions): Promise<CacheJob> {
    const { release, service, work = '/root/work', nixSize } = options
    const machine = await Machine.create({ user: 'root', ...(nixSize === undefined ? {} : { nixSize }) })
    const started = Math.floor(Date.now() / 1000)
    const nixEnv = await installByHand(machine, release)
    const workspace = join(work, 'repo/repo')
    const temp = join(work, '_temp')
    await expect(machine.run(['mkdir', '-p', workspace, temp]))
    const env = {
      ...nixEnv,
      ...service.env(options.token ?? service.token({ write: 'refs/heads/main' })),
      GITHUB_WORKSPACE: workspace,
      RUNNER_TEMP: temp,
    }
    const query = ['nix-store', '--query', '--requisites', release.storePath]
    const closure = (await expect(machine.run(query, { env }))).trim().split('\n')
    return new CacheJob(machine, env, closure, started, options)
  }

  /** Opens the cache, as main does. */
  async open(): Promise<Opened> {
    this.#opened = await this.#step({ do: 'open', ...this.#scope })
    return this.#opened
  }

  /** Builds an expression with what was opened as a substituter. */
  async build(
    expression: string,
    args: readonly string[] = [],
  ): Promise<RunResult & { readonly out: string }> {
    const { server } = this.#opened ?? {}
    const settings = [
      'fallback = true',
      'always-allow-substitutes = true',
      ...(server === undefined ? [] : [`extra-substituters = ${server.url}`]),
    ]
    const result = await this.machine.run(['nix-build', '--no-out-link', '-E', expression, ...args], {
      env: { ...this.env, NIX_CONFIG: `${plainConfig}${settings.join('\n')}\n` },
    })
    return { ...result, out: result.stdout.trim() }
  }

  /** Saves the cache, as post does. */
  async save(more: Partial<SaveStep> = {}): Promise<Answer['save']> {
    const { server, key } = this.#opened ?? {}
    const served = server === undefined ? undefined : (await this.#step({ do: 'stop', server })).stats
    const { ACTIONS_RUNTIME_TOKEN: _, ...env } = this.env
    const bin = join(this.#options.release.storePath, 'bin')
    return this.#step({
      ...{ do: 'save', ...this.#scope, started: this.started, closure: this.closure },
      nix: { version: this.#options.release.version, bin, system: 'x86_64-linux', env },
      ...(served === undefined ? {} : { served }),
      ...(key === undefined ? {} : { key }),
      ...more,
    })
  }

  /** A file or folder of the action's in RUNNER_TEMP, as the host sees it. */
  path(name: string): string {
    return this.machine.path(join(this.env.RUNNER_TEMP ?? '', 'nix-image-action', name))
  }

  get #scope(): Job {
    const { scope, runId } = this.#options
    return { ...(scope === undefined ? {} : { scope }), ...(runId === undefined ? {} : { runId }) }
  }

  async #step<T extends Step>(step: T): Promise<Answer[T['do']]> {
    const program = join(import.meta.dirname, 'step.ts')
    const result = await this.machine.run([process.execPath, program, JSON.stringify(step)], {
      env: this.env,
      cwd: this.env.GITHUB_WORKSPACE ?? '/',
    })
    assert.equal(result.code, 0, result.stderr)
    return JSON.parse(result.stdout)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.dispose()
  }
}
