import type { NixMessage } from '../build/events.ts'
import { causesOf } from '../build/failed-build.ts'
import type { Progress } from '../build/progress.ts'
import type { Candidate } from './choose.ts'

/** What Nix says of a second build that has not ended well, where that is no failure of the build. */
export type Verdict =
  /** @property kept store path of an output that came out different; what it is now is beside it, at `keptAt` */
  | { readonly verdict: 'different'; readonly kept: string | undefined }
  /** This machine cannot build it. */
  | { readonly verdict: 'skipped'; readonly why: string }

/** Where Nix keeps the second result of an output that came out different. */
export const keptAt = (output: string) => `${output}.check`

/**
 * Reads why a second build ended with an error. Its exit code is the same for all of them, and a builder can print what
 * Nix would: only what is Nix's own counts, and of that a difference before all else. Pure.
 * @param outputs of the derivation: nothing else of this machine is looked at, whatever the message names
 * @returns undefined where the build failed
 */
export function verdictOf(progress: Progress, outputs: Candidate['outputs']): Verdict | undefined {
  const said = ownErrors(progress)
  const different = said.findLast(({ what }) =>
    /^derivation '[^']+' may not be deterministic: /.test(what),
  )?.what
  if (different !== undefined) return { verdict: 'different', kept: keptOf(different, outputs) }
  if (
    said.some(({ what }) => /^some outputs of '[^']+' are not valid, so checking is not possible/.test(what))
  )
    return { verdict: 'skipped', why: 'Nix cannot check what is named by the hash of its content' }
  const causes = causesOf(said)
  const needs = causes.flatMap(cause =>
    cause.kind === 'system' ? [cause.system, cause.features].filter(Boolean).join(' with ') : [],
  )
  // Where something else failed as well that is what counts.
  if (needs.length === 0 || needs.length < causes.length) return undefined
  return { verdict: 'skipped', why: `it needs a machine for ${needs[0]}, and this one is not` }
}

/** The errors that no builder can have printed. */
export function ownErrors({ tails, errors }: Progress): NixMessage[] {
  // Before anything is built nobody but Nix has said a word, be it through a daemon.
  return tails.size === 0 ? errors : errors.filter(({ own }) => own)
}

function keptOf(message: string, outputs: Candidate['outputs']): string | undefined {
  return message
    .matchAll(/output ['"]([^'"]+)['"] differs from ['"]([^'"]+)['"]/g)
    .find(
      ([, output = '', kept]) => kept === keptAt(output) && outputs.some(({ info }) => info.path === output),
    )?.[1]
}
