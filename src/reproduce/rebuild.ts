import { causesOf } from '../build/failed-build.ts'
import { type Failure, failureOf } from '../build/failure.ts'
import { createReporter } from '../build/report.ts'
import { runNix } from '../nix/cli.ts'
import type { UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import type { Candidate } from './choose.ts'
import { ownErrors, type Verdict, verdictOf } from './verdict.ts'

export type Rebuilt =
  | { readonly verdict: 'same' }
  | Verdict
  | { readonly verdict: 'failed'; readonly error: UserError }

export type RebuildOptions = Pick<Failure, 'nix' | 'workspace' | 'args' | 'installables' | 'source'> & {
  readonly log: Log
  /** A program that does nothing: Nix keeps what is different only where somebody is told of it. */
  readonly diffHook: string
}

const before = ['--extra-experimental-features', 'nix-command', '--log-format', 'internal-json']

/**
 * Builds a derivation whose outputs are there a second time and has Nix compare. Nothing of what is there is changed.
 * Each in a run of its own: what another one depends on would take that one down with it when it differs. On this
 * machine: another one would find the outputs that it has made, and build nothing.
 */
export async function rebuild(
  { drvPath, outputs }: Candidate,
  { log, diffHook, ...options }: RebuildOptions,
): Promise<Rebuilt> {
  const { nix, workspace, args } = options
  const { line, progress } = createReporter(log, () => performance.now() / 1000)
  const installable = `${drvPath}^${outputs.map(({ name }) => name).join(',')}`
  const settings = [
    ...['--max-jobs', '1', '--option', 'builders', ''],
    ...['--option', 'run-diff-hook', 'true', '--option', 'diff-hook', diffHook],
  ]
  const { code } = await runNix(
    nix,
    'nix',
    [...before, 'build', '--rebuild', '--no-link', installable, ...args, ...settings],
    { cwd: workspace, onStderrLine: line },
  )
  if (code === 0) return { verdict: 'same' }
  const verdict = verdictOf(progress, outputs)
  if (verdict !== undefined) return verdict
  const own = ownErrors(progress)
  // Of what it depends on a daemon tells in other words alone.
  const errors = causesOf(own).length > 0 ? own : progress.errors
  const failed = { step: 'built', progress: { ...progress, errors }, code, ...options } as const
  return { verdict: 'failed', error: await failureOf(failed) }
}
