import { randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path/posix'
import { setImmediate as turn } from 'node:timers/promises'
import type { Machine } from '../machine.ts'
import { type Action, inputVariables, installAction, postRuns, readAction } from './action.ts'
import { stepEnvironment } from './environment.ts'
import type { Event } from './events.ts'
import { Masks } from './masks.ts'
import { type RunningStep, type StepFiles, type StepResult, startStep, stracePath } from './step.ts'

export type JobOptions = {
  readonly machine: Machine
  readonly event: Event
  /** What `${{ github.token }}` is. */
  readonly token: string
  /** Variables that only actions get, such as those of the cache service. Tokens among them are masked. */
  readonly services?: Readonly<Record<string, string>>
  /** Values of `secrets.*` that the workflow uses; masked. */
  readonly secrets?: readonly string[]
  /** `env:` of the workflow. */
  readonly env?: Readonly<Record<string, string>>
  readonly id?: string
  readonly runId?: string
  readonly runAttempt?: number
  /** As if the run was started with debug logging. */
  readonly debug?: boolean
  /** On a runner of the user's, which the next job finds as this one leaves it. */
  readonly selfHosted?: boolean
  /** Records what is executed, by strace. For root's machines only: under strace sudo gains no rights. */
  readonly trace?: boolean
  /** Default: hosted runners' folders in the user's home. */
  readonly work?: string
}

export type Uses = {
  /** Folder on the host with action.yml, package.json and what they name. */
  readonly action: string
  readonly with?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
  readonly id?: string
  /** Called with each line that main prints: to do something at that moment. */
  readonly onLine?: (line: string) => void
}

export type PostResult = StepResult & {
  /** `id` of the step that this is the post step of. */
  readonly id: string
}

export type JobEnd = {
  /** In the order in which they ran. */
  readonly posts: readonly PostResult[]
  readonly conclusion: 'success' | 'failure'
  /** Arguments of the processes that steps had left running; the runner ends them now. */
  readonly orphans: readonly (readonly string[])[]
  /** With `trace`: every program that was executed in any step and its arguments, one a line, as strace writes it. */
  readonly executed: string
}

type Post = { readonly step: Used; readonly state: Readonly<Record<string, string>> }
type Used = { readonly id: string; readonly folder: string; readonly action: Action } & Pick<
  Uses,
  'with' | 'env'
>

/** Folder in the machine of what the harness itself writes. */
export const harnessFolder = '/var/tmp/harness'

/**
 * One job as GitHub's runner runs it, on a machine: the folders, variables and files that it gives to steps,
 * and what it makes of what they print and write. Several jobs may run on one machine after each other, as
 * on a self-hosted runner.
 */
export class Job {
  readonly workspace: string
  readonly temp: string
  readonly toolCache: string
  readonly #options: JobOptions
  readonly #work: string
  readonly #masks: Masks
  readonly #trackingId = `github_${randomUUID()}`
  readonly #env = new Map<string, string>()
  readonly #path: string[] = []
  readonly #posts: Post[] = []
  #failed = false
  #steps = 0

  private constructor(options: JobOptions) {
    const name = options.event.repository.split('/')[1] ?? ''
    this.#options = options
    this.#work = options.work ?? join(options.machine.user.home, 'work')
    this.workspace = join(this.#work, name, name)
    this.temp = join(this.#work, '_temp')
    this.toolCache = join(this.#work, '_tool')
    this.#masks = new Masks([
      options.token,
      ...(options.secrets ?? []),
      ...Object.entries(options.services ?? {}).flatMap(([key, value]) =>
        /TOKEN$/.test(key) ? [value] : [],
      ),
    ])
  }

  /** Prepares the folders. What an earlier job left in the workspace and the tool cache stays. */
  static async start(options: JobOptions): Promise<Job> {
    const job = new Job(options)
    const { machine } = options
    await machine.run(['rm', '-rf', job.temp], { as: 'root', cwd: '/' })
    const made = await machine.run(['mkdir', '-p', job.workspace, job.temp, job.toolCache])
    if (made.code !== 0) throw new Error(made.stderr)
    if (options.trace) {
      if (machine.user.uid !== 0) throw new Error('only a machine of root can be traced')
      if ((await machine.run([stracePath(), '-V'])).code !== 0) throw new Error('tracing needs strace')
      await machine.run(['mkdir', '-p', job.#traces])
    }
    await machine.plant(job.#eventPath, JSON.stringify(options.event.payload, null, 2))
    return job
  }

  /** Not among the files of the job, since what is printed there holds the commands that name secrets. */
  get #traces(): string {
    return join(harnessFolder, this.#trackingId)
  }

  get #eventPath(): string {
    return join(this.temp, '_github_workflow/event.json')
  }

  /** Runs an action's main step to its end. */
  async uses(uses: Uses): Promise<StepResult> {
    return (await this.startUses(uses)).done
  }

  /** Starts an action's main step. Its post step is due from now on, however main ends. */
  async startUses(uses: Uses): Promise<RunningStep> {
    const id = uses.id ?? `__step_${this.#steps}`
    const action = await readAction(uses.action)
    const folder = join(this.#work, '_actions', basename(uses.action), id)
    await installAction(action, uses.action, this.#options.machine.path(folder))
    const step: Used = { id, folder, action, with: uses.with ?? {}, env: uses.env ?? {} }
    const running = await this.#startAction(step, action.runs.main, {}, uses.onLine)
    return {
      kill: running.kill,
      done: running.done.then(result => {
        if (action.runs.post !== undefined) this.#posts.push({ step, state: result.state })
        return result
      }),
    }
  }

  /** Runs a later `run:` step, given by argv. It gets no variables of services, as on GitHub. */
  async run(
    argv: readonly string[],
    options: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
  ): Promise<StepResult> {
    const files = await this.#newFiles()
    const env = this.#environment(`__run_${this.#steps}`, files, options.env)
    return this.#start(argv, env, files, options.cwd ?? this.workspace).done
  }

  /** Runs the post steps, last first, and ends what steps left running. */
  async end(): Promise<JobEnd> {
    const posts: PostResult[] = []
    for (const { step, state } of this.#posts.splice(0).reverse()) {
      const { post, 'post-if': condition } = step.action.runs
      if (post === undefined || !postRuns(condition, !this.#failed)) continue
      const result = await (await this.#startAction(step, post, state)).done
      posts.push({ ...result, id: step.id })
    }
    const orphans = await this.#endOrphans()
    const conclusion = this.#failed ? 'failure' : 'success'
    return { posts, conclusion, orphans, executed: await this.#executed() }
  }

  async #executed(): Promise<string> {
    if (!this.#options.trace) return ''
    const folder = this.#options.machine.path(this.#traces)
    const names = (await readdir(folder)).filter(name => name.endsWith('.executed'))
    return (await Promise.all(names.map(name => readFile(join(folder, name), 'utf8')))).join('')
  }

  async #startAction(
    step: Used,
    entry: string,
    state: Readonly<Record<string, string>>,
    onLine: Uses['onLine'] = undefined,
  ): Promise<RunningStep> {
    const { token, event } = this.#options
    const github = {
      token,
      actor: event.actor,
      repository: event.repository,
      ref: event.ref,
      sha: event.sha,
      event_name: event.name,
      workspace: this.workspace,
      server_url: 'https://github.com',
    }
    const { variables, unexpected } = inputVariables(step.action, step.with ?? {}, github)
    const files = await this.#newFiles()
    const env = this.#environment(step.id, files, step.env, {
      GITHUB_ACTION_REPOSITORY: 'org/nix-image-action',
      GITHUB_ACTION_REF: 'v1',
      ...variables,
      ...Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value])),
      ...this.#options.services,
    })
    const running = this.#start(
      [process.execPath, join(step.folder, entry)],
      env,
      files,
      this.workspace,
      onLine,
    )
    if (unexpected.length === 0) return running
    const message = `Unexpected input(s) '${unexpected.join("', '")}'`
    return {
      ...running,
      done: running.done.then(result => ({ ...result, warnings: [{ message }, ...result.warnings] })),
    }
  }

  #start(
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    files: StepFiles,
    cwd: string,
    onLine: Uses['onLine'] = () => {},
  ): RunningStep {
    const { machine, debug = false } = this.#options
    const trace = this.#options.trace ? join(this.#traces, `${this.#steps}.executed`) : undefined
    const running = startStep(machine, argv, { env, cwd, files, masks: this.#masks, debug, trace, onLine })
    return {
      kill: running.kill,
      done: running.done.then(result => {
        for (const [name, value] of Object.entries(result.env)) this.#env.set(name, value)
        for (const folder of result.path) {
          if (this.#path.includes(folder)) this.#path.splice(this.#path.indexOf(folder), 1)
          this.#path.unshift(folder)
        }
        if (result.conclusion === 'failure') this.#failed = true
        return result
      }),
    }
  }

  async #newFiles(): Promise<StepFiles> {
    const folder = join(this.temp, '_runner_file_commands')
    const id = `${this.#steps++}_${randomUUID()}`
    const files = {
      env: join(folder, `set_env_${id}`),
      path: join(folder, `add_path_${id}`),
      output: join(folder, `set_output_${id}`),
      state: join(folder, `save_state_${id}`),
      summary: join(folder, `step_summary_${id}`),
    }
    for (const file of Object.values(files)) await this.#options.machine.plant(file, '')
    return files
  }

  #environment(
    step: string,
    files: StepFiles,
    env: Readonly<Record<string, string>> | undefined,
    ofAction: Readonly<Record<string, string>> = {},
  ): Record<string, string> {
    const { machine, event, runId, runAttempt, debug = false, id, selfHosted = false } = this.#options
    return stepEnvironment({
      before: {
        ...machine.env,
        LANG: 'C.UTF-8',
        ...this.#options.env,
        ...Object.fromEntries(this.#env),
        ...env,
      },
      path: this.#path,
      ofAction,
      event,
      step,
      files,
      job: { id, runId, runAttempt, debug, selfHosted, trackingId: this.#trackingId },
      folders: {
        workspace: this.workspace,
        temp: this.temp,
        toolCache: this.toolCache,
        eventPath: this.#eventPath,
      },
    })
  }

  /** Ends every process that carries this job's tracking id, as the runner does. */
  async #endOrphans(): Promise<string[][]> {
    const orphans: string[][] = []
    for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
      const variables = (await read('environ')).split('\0')
      const argv = (await read('cmdline')).split('\0').slice(0, -1)
      if (!variables.includes(`RUNNER_TRACKING_ID=${this.#trackingId}`) || argv.length === 0) continue
      if (basename(argv[0] ?? '') === 'strace') continue
      orphans.push(argv)
      process.kill(Number(pid), 'SIGKILL')
      while ((await read('cmdline')) !== '') await turn()
    }
    return orphans
  }
}
