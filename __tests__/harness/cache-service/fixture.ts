import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Job, JobOptions, JobResult, Outcome, Runner, Step } from './job.ts'
import { makeRunner, startJob } from './job.ts'
import { type CacheService, type CacheServiceOptions, startCacheService } from './service.ts'

export type Fixture = {
  readonly service: CacheService
  readonly runner: Runner
  /** A directory for one test. */
  readonly root: string
  /** Starts steps with the real client, in the workspace, with this token. */
  start(token: string, steps: readonly Step[], options?: Partial<JobOptions>): Job
  /** Runs them to their end. */
  job(token: string, steps: readonly Step[], options?: Partial<JobOptions>): Promise<JobResult>
  /** The same, for those who need no log. */
  outcomes(token: string, ...steps: Step[]): Promise<readonly Outcome[]>
  /** Gives the cached folder this content: one file. */
  write(content: string | Buffer): void
  /** The content after a restore. */
  read(): string
  /** Removes the cached folder. */
  clear(): void
}

/** A service, a runner and a folder `data` in its workspace, all gone when the test ends. */
export async function fixture(t: TestContext, options: CacheServiceOptions = {}): Promise<Fixture> {
  const root = mkdtempSync(join(tmpdir(), 'cache-job-'))
  const service = await startCacheService(options)
  const children: ChildProcess[] = []
  t.after(async () => {
    // A job of a failed test may still be trying again.
    for (const child of children) child.kill('SIGKILL')
    await service.close()
    rmSync(root, { recursive: true, force: true })
  })
  const runner = makeRunner(root)
  const data = join(runner.workspace, 'data')
  const file = join(data, 'file')
  const start: Fixture['start'] = (token, steps, more = {}) => {
    const job = startJob({ runner, env: service.env(token), steps, ...more })
    children.push(job.child)
    return job
  }
  const job: Fixture['job'] = (token, steps, more) => start(token, steps, more).done
  const clear = () => rmSync(data, { recursive: true, force: true })
  const write = (content: string | Buffer) => {
    mkdirSync(data, { recursive: true })
    writeFileSync(file, content)
  }
  write('something')
  return {
    service,
    runner,
    root,
    start,
    job,
    outcomes: async (token, ...steps) => (await job(token, steps)).outcomes,
    write,
    read: () => readFileSync(file, 'utf8'),
    clear,
  }
}

export function save(key: string): Step {
  return { save: ['data'], key }
}

export function restore(key: string, ...restoreKeys: string[]): Step {
  return { restore: ['data'], key, restoreKeys }
}

/** So many KiB that do not compress: an archive of them is at least as large. */
export function noise(count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => crypto.getRandomValues(Buffer.alloc(1024))))
}
