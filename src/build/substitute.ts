import { runNix } from '../nix/cli.ts'
import type { Nix } from '../nix/model.ts'
import { harmless } from '../util/harmless.ts'
import type { Log } from '../util/log.ts'
import type { Substitution } from './progress.ts'
import { createReporter } from './report.ts'

/** Store paths that are given to one command: a command line has an end. */
const most = 1000

/**
 * Has Nix fetch store paths, with all that they refer to, from whatever binary cache has them. What cannot be had so is
 * left out: a build will say why, if it needs it.
 */
export async function substitute(options: {
  readonly nix: Nix
  readonly paths: readonly string[]
  readonly log: Log
}): Promise<Substitution[]> {
  const { nix, paths, log } = options
  const { line, progress } = createReporter(log, () => performance.now() / 1000)
  for (let at = 0; at < paths.length; at += most) {
    const { code } = await runNix(
      nix,
      'nix',
      [
        ...['--extra-experimental-features', 'nix-command', 'build', '--no-link', '--keep-going'],
        ...['--log-format', 'internal-json', ...paths.slice(at, at + most)],
      ],
      { onStderrLine: line },
    )
    if (code !== 0) log.debug(harmless(`Not all was fetched: ${progress.errors.at(-1)?.text ?? code}`))
  }
  return [...progress.substitutions.values()]
}
