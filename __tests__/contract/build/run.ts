import { chmod, copyFile, mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NixTarball } from '../../../script/parts/paths.ts'
import type { Evaluated, Realised } from '../../../src/build/flake.ts'
import type { Nix } from '../../../src/nix/model.ts'
import type { Place } from '../../../src/util/errors.ts'
import { materialise } from '../../harness/flake.ts'
import { Machine } from '../../harness/machine.ts'
import { expect, installByHand } from '../../harness/nix-by-hand.ts'

/** Makes a folder with a git tree in it, `app`: the sample flake, and below it the one in which everything goes wrong. */
export async function makeSample(): Promise<string> {
  const sample = await mkdtemp(join(tmpdir(), 'nia-build-'))
  await chmod(sample, 0o755)
  await materialise({ template: 'busybox', dir: join(sample, 'app') })
  const folder = join(sample, 'app/.devcontainer/nixos')
  await mkdir(folder, { recursive: true })
  for (const file of ['flake.nix', 'deep.nix']) {
    await copyFile(join(import.meta.dirname, file), join(folder, file))
  }
  return sample
}

/** The same place for a sample that has sets of outputs and development shells. */
export async function makeShells(): Promise<string> {
  const sample = await mkdtemp(join(tmpdir(), 'nia-shells-'))
  await chmod(sample, 0o755)
  await materialise({ template: 'shells', dir: join(sample, 'app') })
  return sample
}

export type Prepared = Awaited<ReturnType<typeof prepare>>

/** A machine with Nix and the sample as its user's work, with a file in it that git does not track. */
export async function prepare(
  sample: string,
  release: NixTarball,
  options: { user: 'root' | 'runner'; nixSize?: string },
) {
  const machine = await Machine.create({ nix: 'user', binds: [sample], ...options })
  try {
    const env: Record<string, string> = await installByHand(machine, release)
    const workspace = join(machine.user.home, 'work/app')
    const nix = { version: release.version, bin: join(release.storePath, 'bin'), system: release.system }
    const run = (...argv: string[]) => expect(machine.run(argv, { env, cwd: workspace }))
    await expect(machine.run(['mkdir', '-p', join(workspace, '..')]))
    await expect(machine.run(['cp', '-r', join(sample, 'app'), workspace]))
    const git = (...argv: string[]) => run('git', '-c', 'user.name=x', '-c', 'user.email=x@x', ...argv)
    await git('add', '--all')
    await git('commit', '--quiet', '--allow-empty', '--message=more')
    await machine.plant(join(workspace, '.devcontainer/nixos/untracked.nix'), '"x"\n')
    const job = (
      installables: string | readonly string[],
      more: { args?: string[]; cacheUrl?: string; env?: Record<string, string> } = {},
    ): Promise<JobOutput> =>
      runJob(
        machine,
        { ...env, ...more.env },
        { ...more, nix, workspace, installables: [installables].flat() },
      )
    return { machine, env, workspace, run, job }
  } catch (error) {
    await machine.dispose()
    throw error
  }
}

export type JobInput = {
  readonly nix: Omit<Nix, 'env'>
  readonly workspace: string
  readonly installables: readonly string[]
  readonly args?: readonly string[]
  readonly cacheUrl?: string
}

export type JobOutput = {
  /** Lines in their order; a group is between `[title` and `]`. */
  readonly log: string[]
  readonly evaluated: Evaluated[]
  /** Builds that succeeded and that failed, each time that there was news of them. */
  readonly progress: [number, number][]
  realised?: Realised
  error?: {
    message: string
    advice: string | undefined
    place: Place | undefined
    detail: string | undefined
  }
}

/** Runs the module under test inside of a machine. */
async function runJob(
  machine: Machine,
  env: Readonly<Record<string, string>>,
  input: JobInput,
): Promise<JobOutput> {
  const argv = [process.execPath, join(import.meta.dirname, 'job.ts'), JSON.stringify(input)]
  return JSON.parse(await expect(machine.run(argv, { env, cwd: input.workspace }))) as JobOutput
}
