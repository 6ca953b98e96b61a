import { causesOf } from '../build/failed-build.js'
import { failureOf } from '../build/failure.js'
import { createReporter } from '../build/report.js'
import { runNix } from '../nix/cli.js'

const before = ['--extra-experimental-features', 'nix-command', '--log-format', 'internal-json']

/**
 * Builds a derivation whose outputs are there a second time and has Nix compare. Nothing of what is there is changed.
 * Each in a run of its own: what another one depends on would take that one down with it when it differs. On this
 * machine: another one would find the outputs that it has made, and build nothing.
 */
export async function rebuild({ drvPath, outputs }, { log, diffHook, ...options }) {
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
