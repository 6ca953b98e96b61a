import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** One call of the real client. `env` is set before it and stays set. */
export type Step = { readonly env?: Readonly<Record<string, string>> } & (
  | { readonly save: readonly string[]; readonly key: string }
  | {
      readonly restore: readonly string[]
      readonly key: string
      readonly restoreKeys?: readonly string[]
      readonly lookupOnly?: boolean
    }
)

/** What a step gave (`null` for `undefined`), or the name and message of what it threw. */
export type Outcome = number | string | null | { readonly name: string; readonly message: string }

export type JobResult = {
  /** Of the steps that ended. */
  readonly outcomes: readonly Outcome[]
  /** All that was printed. */
  readonly log: string
  /** The most memory that the process had at once, in bytes; 0 when it was killed. */
  readonly peakMemory: number
}

export type Job = { readonly child: ChildProcess; readonly done: Promise<JobResult> }

export type Runner = {
  readonly workspace: string
  readonly temp: string
  /** What every step of a job sees, without the cache service. */
  readonly env: Readonly<Record<string, string>>
}

export type JobOptions = {
  readonly runner: Runner
  /** Added to the runner's environment. */
  readonly env: Readonly<Record<string, string>>
  readonly steps: readonly Step[]
  /** @default the workspace */
  readonly cwd?: string
  /** Modules of this folder to load first: `quick-retries.ts`, `local-blob-host.ts`. */
  readonly preload?: readonly string[]
}

/** Makes the directories of a runner below `root`, placed to each other as on GitHub's own. */
export function makeRunner(root: string): Runner {
  const workspace = join(root, 'work', 'repo', 'repo')
  const temp = join(root, 'work', '_temp')
  for (const directory of [workspace, temp]) mkdirSync(directory, { recursive: true })
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: root,
    GITHUB_WORKSPACE: workspace,
    RUNNER_TEMP: temp,
  }
  return { workspace, temp, env }
}

/** Runs the unmodified client in a process of its own, as a step of a job does. */
export function startJob(options: JobOptions): Job {
  const imports = (options.preload ?? []).flatMap(name => ['--import', beside(name)])
  const child = spawn(process.execPath, [...imports, beside('job-main.ts'), JSON.stringify(options.steps)], {
    cwd: options.cwd ?? options.runner.workspace,
    env: { ...options.runner.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const streams = child.stdio.slice(1) as Readable[]
  const texts = Promise.all(streams.map(stream => text(stream)))
  return {
    child,
    done: texts.then(([out = '', err = '', lines = '']) => {
      const said = lines.split('\n').filter(line => line !== '')
      const parsed: { outcome?: Outcome; peakMemory?: number }[] = said.map(line => JSON.parse(line))
      return {
        outcomes: parsed.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome])),
        log: out + err,
        peakMemory: parsed.at(-1)?.peakMemory ?? 0,
      }
    }),
  }
}

function beside(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
