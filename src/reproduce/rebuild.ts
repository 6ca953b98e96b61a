import { causesOf } from '../build/failed-build.ts'
import { type Failure, failureOf } from '../build/failure.ts'
import { createReporter } from '../build/report.ts'
import { runNix } from '../nix/cli.ts'
import type { UserError } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import type { Candidate } from './choose.ts'

export type Rebuilt =
  | { readonly verdict: 'same' }
  /** @property output the first store path that came out different; `kept` where Nix has put what it is now */
  | { readonly verdict: 'different'; readonly output: string; readonly kept: string | undefined }
  /** This machine cannot build it. */
  | { readonly verdict: 'skipped'; readonly why: string }
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
  for (const { what } of progress.errors) {
    const [, output, kept] =
      /may not be deterministic: output ['"]([^'"]+)['"] differs(?: from ['"]([^'"]+)['"])?/.exec(what) ?? []
    if (output !== undefined) return { verdict: 'different', output, kept }
    if (/are not valid, so checking is not possible/.test(what))
      return { verdict: 'skipped', why: 'Nix cannot check what is named by the hash of its content' }
  }
  const [cause] = causesOf(progress.errors)
  if (cause?.kind === 'system') {
    const needs = [cause.system, cause.features].filter(Boolean).join(' with ')
    return { verdict: 'skipped', why: `it needs a machine for ${needs}, and this one is not` }
  }
  return { verdict: 'failed', error: await failureOf({ step: 'built', progress, code, ...options }) }
}
