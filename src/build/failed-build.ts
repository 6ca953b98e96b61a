import { runNix } from '../nix/cli.ts'
import { UserError } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import type { NixMessage } from './events.ts'
import { unableToDownload } from './failed-machine.ts'
import type { Failure } from './failure.ts'
import { isPlaceholder, spellings } from './hash.ts'
import type { Installable } from './installable.ts'
import { shortName } from './progress.ts'
import { findLines } from './source.ts'

/** Why a derivation could not be built. */
export type Cause = { readonly drvPath: string } & (
  | { readonly kind: 'builder'; readonly reason: string }
  | { readonly kind: 'hash'; readonly specified: string; readonly got: string }
  /** No machine has the system, or not with these features; `system` is empty where only they are missing. */
  | { readonly kind: 'system'; readonly system: string; readonly features: string }
)

/**
 * The derivations that Nix says it could not build, each once, without those that failed only because of another.
 * Nix words this in two ways: `builder for '…' failed …` up to 2.30 or so, `Cannot build '…'.` after.
 */
export function causesOf(errors: readonly NixMessage[]): Cause[] {
  const causes = new Map<string, Cause>()
  for (const { what } of errors) {
    const cause = causeOf(what)
    if (cause !== undefined && !causes.has(cause.drvPath)) causes.set(cause.drvPath, cause)
  }
  return [...causes.values()]
}

function causeOf(what: string): Cause | undefined {
  const hash =
    /hash mismatch in fixed-output derivation '([^']+\.drv)':\s*(?:likely URL: .*\s*)?specified:\s*(\S+)\s*got:\s*(\S+)/.exec(
      what,
    )
  if (hash) {
    const [, drvPath = '', specified = '', got = ''] = hash
    return { kind: 'hash', drvPath, specified, got }
  }
  const required = /^a '([^']+)' with features \{([^}]*)\} is required to build '([^']+\.drv)'/.exec(what)
  if (required) {
    const [, system = '', features = '', drvPath = ''] = required
    return { kind: 'system', drvPath, system, features }
  }
  const failed = /^(?:Cannot build '([^']+\.drv)'\.\s*Reason: |builder for '([^']+\.drv)' )(.*)/s.exec(what)
  if (failed) {
    const drvPath = failed[1] ?? failed[2] ?? ''
    const rest = failed[3] ?? ''
    // Not `^`, which also matches after U+2028: that may be in a line of the log, and what the builder says is not this.
    const system = /\nRequired system: '([^']+)'(?: with features \{([^}]*)\})?/.exec(rest)
    if (system) return { kind: 'system', drvPath, system: system[1] ?? '', features: system[2] ?? '' }
    const features = /\nRequired features: \{([^}]*)\}/.exec(rest)?.[1]
    if (features !== undefined) return { kind: 'system', drvPath, system: '', features }
    const reason = (rest.split('\n')[0] ?? '').replace(/[.;]$/, '').replace(/^failed/, 'builder failed')
    return /\bdependenc(?:y|ies)\b.* failed/.test(reason) ? undefined : { kind: 'builder', drvPath, reason }
  }
  return undefined
}

/** The failure for the first of the causes; the others are named in its detail. */
export async function failedBuilds(
  causes: readonly Cause[],
  failure: Failure,
): Promise<UserError | undefined> {
  // The user can do most about a wrong hash, and nothing about a builder before that is right.
  const [first] = causes.toSorted((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
  if (first === undefined) return undefined
  const others = causes.filter(cause => cause !== first).map(({ drvPath }) => shortName(drvPath))
  const error = await failureFor(first, failure)
  if (others.length === 0) return error
  const detail = [error.detail, `Also failed: ${others.slice(0, 20).join(', ')}`].filter(Boolean).join('\n')
  const { advice, place } = error
  return new UserError(error.message, { detail, ...(advice ? { advice } : {}), ...(place ? { place } : {}) })
}

const order: readonly Cause['kind'][] = ['hash', 'system', 'builder']

async function failureFor(cause: Cause, failure: Failure): Promise<UserError> {
  if (cause.kind === 'hash') return wrongHash({ ...cause, of: shortName(cause.drvPath) }, failure)
  if (cause.kind === 'system') return otherSystem(cause, failure)
  return failedBuilder(cause, failure)
}

/** A hash in the flake's files that is not that of what was fetched. */
export async function wrongHash(
  { of, specified, got }: { of: string; specified: string; got: string },
  { source, workspace }: Pick<Failure, 'source' | 'workspace'>,
): Promise<UserError> {
  const written = spellings(specified)
  const placeholder = /fake(?:Hash|Sha256|Sha512)\b|\b(?:\w*[hH]ash|sha256|sha512)\s*=\s*""/
  const find = (matches: (line: string) => boolean) =>
    source === undefined ? [] : findLines(source, workspace, matches).catch(() => [])
  let places = await find(line => written.some(text => line.includes(text)))
  if (places.length === 0 && isPlaceholder(specified)) places = await find(line => placeholder.test(line))
  const [place, ...others] = places.map(({ file, line }) => ({
    file,
    ...(line ? { line } : {}),
    text: `${file}:${line}`,
  }))
  const message = `The hash of ${of} is wrong:\n  specified: ${specified}\n  got:       ${got}`
  if (place === undefined) {
    return new UserError(message, {
      advice:
        'The specified hash is in none of the files of this flake, so it comes from one of its inputs: update that input.',
    })
  }
  const also =
    others.length === 0 ? '' : ` (it may also be the one in ${others.map(({ text }) => text).join(', ')})`
  const remedy = place.file.endsWith('flake.lock')
    ? 'run `nix flake update`'
    : `write ${got} in ${place.text}${also}`
  return new UserError(message, {
    advice: `If the new content is what you expect, ${remedy}.`,
    place: { file: place.file, ...(place.line ? { line: place.line } : {}) },
  })
}

function otherSystem(cause: Cause & { kind: 'system' }, { nix }: Failure): UserError {
  const { system, features, drvPath } = cause
  const name = shortName(drvPath)
  if (system !== '' && system !== nix.system) {
    return new UserError(`${name} can only be built on ${system}, and this runner is ${nix.system}.`, {
      advice: `Build it in a job whose \`runs-on\` is a runner for ${system}${system === 'aarch64-linux' ? ', such as ubuntu-24.04-arm' : ''}; or name such a machine in \`builders\`, or set up QEMU before this step (docker/setup-qemu-action).`,
    })
  }
  return new UserError(`${name} needs a builder with the features ${features || 'that this runner lacks'}.`, {
    advice: features.includes('kvm')
      ? 'Nix offers kvm where it can open /dev/kvm: take a runner that has it.'
      : 'Set `system-features` in `nix-conf` if this runner does have them.',
  })
}

async function failedBuilder(
  { drvPath, reason }: Cause & { kind: 'builder' },
  failure: Failure,
): Promise<UserError> {
  const name = shortName(drvPath)
  const tail = failure.progress.tails.get(drvPath) ?? []
  const log = tail.map(line => `> ${harmless(line)}`).join('\n')
  const fetch = unableToDownload(tail.join('\n'))
  const installable = await needing(drvPath, failure)
  const command = installable === undefined ? '' : `\`nix build -L ${installable.text}\` or `
  const message = `${name} failed to build: ${harmless(reason)}`
  return new UserError(fetch === undefined ? message : `${message}. ${fetch.message}`, {
    detail: tail.length > 0 ? `The end of its log:\n${log}` : 'Its log is empty.',
    advice:
      fetch?.advice ??
      (/signal 9|exit code 137/.test(reason)
        ? 'Something killed it, most often for want of memory: take a larger runner, or set `max-jobs = 1` in `nix-conf`.'
        : `The whole log is in that of this step; ${command}\`nix log ${drvPath}\` shows it on your machine.`),
  })
}

/** Of several installables the first that needs this derivation; undefined when that cannot be found out. */
async function needing(
  drvPath: string,
  { installables, drvPaths = [], nix }: Failure,
): Promise<Installable | undefined> {
  if (installables.length === 1) return installables[0]
  for (const [index, own] of drvPaths.entries()) {
    const query = runNix(nix, 'nix-store', ['--query', '--requisites', own])
    const needed = await query.then(({ stdout }) => stdout.split('\n')).catch((): string[] => [])
    if (needed.includes(drvPath)) return installables[index]
  }
  return undefined
}
