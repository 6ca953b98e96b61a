import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { partsBin } from '../../../script/parts/paths.ts'
import type { Machine, RunResult } from '../machine.ts'
import { type Annotation, type Group, StepLog } from './commands.ts'
import { parseEnvFile, parsePathFile } from './env-files.ts'
import type { Masks } from './masks.ts'

/** Paths, inside the machine, of the files through which a step speaks to the runner. */
export type StepFiles = Readonly<Record<'env' | 'path' | 'output' | 'state' | 'summary', string>>

export type StepResult = {
  /** Undefined when a signal ended the step. */
  readonly code: number | undefined
  readonly conclusion: 'success' | 'failure'
  readonly seconds: number
  /** As people see it on GitHub. */
  readonly log: string
  /** What was printed before anything was masked, without the commands that name a secret. */
  readonly raw: string
  readonly errors: readonly Annotation[]
  readonly warnings: readonly Annotation[]
  readonly notices: readonly Annotation[]
  readonly debugs: readonly string[]
  readonly groups: readonly Group[]
  readonly outputs: Readonly<Record<string, string>>
  /** What this step adds to the environment and PATH of later steps. */
  readonly env: Readonly<Record<string, string>>
  readonly path: readonly string[]
  readonly state: Readonly<Record<string, string>>
  readonly summary: string
  /** All texts that are masked by now. */
  readonly masks: readonly string[]
}

export type RunningStep = {
  readonly done: Promise<StepResult>
  /** SIGKILL (the default) ends the step and all that it did not detach; other signals go to the step alone. */
  kill(signal?: NodeJS.Signals): void
}

export type StepOptions = {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly files: StepFiles
  readonly masks: Masks
  readonly debug: boolean
  /** Where strace shall write what is executed. */
  readonly trace?: string | undefined
  /** Called with each line when it is printed (with `trace`: when the step has ended). */
  readonly onLine?: (line: string) => void
}

/** The runner shows no bigger summary. */
const summaryLimit = 1024 * 1024

export function startStep(machine: Machine, argv: readonly string[], options: StepOptions): RunningStep {
  const { env, cwd, files, masks, debug, trace, onLine } = options
  const began = performance.now()
  const log = new StepLog(masks, debug)
  const take = (line: string) => {
    log.line(line)
    onLine?.(line)
  }
  const stdout = new Lines(take)
  const stderr = new Lines(take)
  const printed = `${trace}.printed`
  const job = machine.start(trace === undefined ? argv : underStrace(argv, trace, printed), {
    env,
    cwd,
    onStdout: chunk => stdout.add(chunk),
    onStderr: chunk => stderr.add(chunk),
  })
  // A step may remove its files; the runner takes that for having written nothing.
  const read = (file: string) => readFile(machine.path(file), 'utf8').catch(() => '')
  const finish = async ({ code }: RunResult): Promise<StepResult> => {
    if (trace !== undefined) stdout.add(await read(printed))
    stdout.end()
    stderr.end()
    log.end()
    const parsed = async <T>(file: string, parse: (text: string) => T, empty: T): Promise<T> => {
      try {
        return parse(await read(file))
      } catch (error) {
        log.fail(`Unable to process file command '${file}' successfully.`)
        log.fail((error as Error).message)
        return empty
      }
    }
    const added = await parsed(files.env, parseEnvFile, new Map<string, string>())
    if (added.delete('NODE_OPTIONS'))
      log.error("Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.")
    const summary = await read(files.summary)
    const tooLong = Buffer.byteLength(summary) > summaryLimit
    if (tooLong) log.error('$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k')
    const path = await parsed(files.path, parsePathFile, [])
    const outputs = await parsed(files.output, parseEnvFile, new Map<string, string>())
    const state = await parsed(files.state, parseEnvFile, new Map<string, string>())
    return {
      code,
      conclusion: code === 0 && !log.failed ? 'success' : 'failure',
      seconds: (performance.now() - began) / 1000,
      log: log.log.join('\n'),
      raw: log.raw.join('\n'),
      errors: log.errors,
      warnings: log.warnings,
      notices: log.notices,
      debugs: log.debugs,
      groups: log.groups,
      outputs: Object.fromEntries([...log.outputs, ...outputs]),
      env: Object.fromEntries(added),
      path,
      state: Object.fromEntries([...log.state, ...state]),
      summary: tooLong ? '' : summary,
      masks: masks.list(),
    }
  }
  return { done: job.done.then(finish), kill: signal => job.kill(signal) }
}

/**
 * Detached (-D), so that the step ends when its program does, whatever daemons it leaves. strace keeps the streams that
 * it is given for as long as it lives, so it is given none and the program prints into a file. By bash, since sh drops
 * variables such as INPUT_NIX-CONF.
 */
function underStrace(argv: readonly string[], trace: string, printed: string): string[] {
  const filter = ['-D', '-f', '-qq', '--seccomp-bpf', '-e', 'trace=execve,execveat', '-e', 'signal=none']
  const strace = [stracePath(), ...filter, '-s', '1000000', '-o', trace]
  const quiet = ['bash', '-c', 'exec "$@" >/dev/null 2>&1', 'bash']
  const loud = ['bash', '-c', 'exec "$@" >"$0" 2>&1', printed]
  return [...quiet, ...strace, ...loud, ...argv]
}

/** The project's own when it is there. */
export function stracePath(): string {
  const own = join(partsBin, 'strace')
  return existsSync(own) ? own : 'strace'
}

/** Cuts a stream of text into lines. */
class Lines {
  readonly #line: (text: string) => void
  #rest = ''

  constructor(line: (text: string) => void) {
    this.#line = line
  }

  add(chunk: string): void {
    const lines = (this.#rest + chunk).split(/\r?\n/)
    this.#rest = lines.pop() ?? ''
    for (const line of lines) this.#line(line)
  }

  end(): void {
    if (this.#rest !== '') this.#line(this.#rest)
    this.#rest = ''
  }
}
