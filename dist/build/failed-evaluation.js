import { existsSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'
import { missingAttribute } from './attributes.js'

import { wrongHash } from './failed-build.js'
import { notFetched } from './failed-machine.js'

import { guessSource, placeOf } from './source.js'

/** The failure when Nix could not read or evaluate the flake. */
export async function failedEvaluation(failure) {
  const error = failure.progress.errors.at(-1)
  if (error === undefined) return undefined
  const { what } = error

  const usage = wrongArguments(failure)
  if (usage !== undefined) return usage
  const mismatch = hashMismatch(what)
  if (mismatch !== undefined) return wrongHash(mismatch, failure)
  return (
    notTrusted(error, failure) ??
    noFlake(error, failure) ??
    notFetched(failure) ??
    (await missingAttribute(error, failure)) ??
    (await inNixCode(error, failure))
  )
}

/** Arguments that Nix does not take; after such an error it says how to get help. */
function wrongArguments({ progress, args }) {
  const help = progress.errors.findIndex(({ what }) => /^Try '.* --help' for more information/.test(what))
  const error = progress.errors[help - 1]
  if (error === undefined || args.length === 0) return undefined
  return new UserError(harmless(`nix-args: ${error.what}`), {
    advice: 'Every argument must be one that `nix flake metadata`, `nix eval` and `nix build` all take.',
  })
}

/** What evaluation fetched, or a locked input, with another hash than it must have. */
function hashMismatch(what) {
  const source = /^hash mismatch in (.*?):\s*specified:\s*(\S+)\s*got:\s*(\S+)/s.exec(what)
  const input =
    /^mismatch in field 'narHash' of input '(.*?"narHash":"(sha256-[^"]+)".*)', got '.*?"narHash":"(sha256-[^"]+)"/s.exec(
      what,
    )
  if (source !== null)
    return { of: harmless(source[1] ?? ''), specified: source[2] ?? '', got: source[3] ?? '' }
  if (input === null) return undefined
  const url = /"url":"([^"]+)"/.exec(input[1] ?? '')?.[1]
  return { of: harmless(`input ${url ?? input[1]}`), specified: input[2] ?? '', got: input[3] ?? '' }
}

/** A checkout that belongs to somebody else, as in `container:` jobs. */
function notTrusted({ what }, { progress, workspace }) {
  const texts = [what, ...progress.lines]
  if (!texts.some(text => /dubious ownership|is not owned by current user/.test(text))) return undefined
  return new UserError(`The files in ${workspace} belong to another user, so git does not read them.`, {
    advice: `Run \`git config --global --add safe.directory ${workspace}\` before this step.`,
  })
}

/** A flake that is a path on this machine and is not there, or not seen by git. */
function noFlake({ what }, { installables, workspace, source }) {
  const [installable] = installables
  const written = resolve(workspace, installable?.directory ?? '.')
  const root = source?.directory ?? rootOf(installable, workspace)
  const [, byGit, repository] =
    /^Path '([^']+)' in the repository "([^"]+)" is not tracked by Git/.exec(what) ?? []
  const [, tree, inStore] =
    /^path '(\/nix\/store\/[0-9a-z]{32}-source)\/([^']+)' does not exist/.exec(what) ?? []
  const ours = repository === root || (tree !== undefined && (source === undefined || source.path === tree))
  const untracked = ours ? (byGit ?? inStore) : undefined
  if (untracked !== undefined && root !== undefined && existsSync(join(root, untracked))) {
    const file = relative(workspace, join(root, untracked))
    return new UserError(`${file} is not tracked by git, so Nix does not see it.`, {
      advice: `Run \`git add ${file}\` and commit it; if a step makes the file, let that step run \`git add --intent-to-add\`.`,
      place: { file },
    })
  }
  if (installable?.directory === undefined || source !== undefined) {
    const name = /cannot find flake '(?:flake:)?([^']+)' in the flake registries/.exec(what)?.[1]
    if (name === undefined) return undefined
    return new UserError(`There is no flake '${name}' in the flake registry.`, {
      advice: `For an output of the flake in this repository write .#${name}, for a directory ./${name}#image.`,
    })
  }
  if (!existsSync(written)) {
    return new UserError(`${installable.text}: there is no directory ${written}.`, {
      advice: 'Is the repository checked out before this step? Paths are relative to the workspace.',
    })
  }
  const upward = !/^[a-z+]+:/.test(installable.flake)
  if (hasFlake(written, upward)) return undefined
  return new UserError(
    `${installable.text}: there is no flake.nix in ${written}${upward ? ' or above it' : ''}.`,
    {
      advice:
        'Name the directory of the flake, such as ./nix#image, and check that the repository is checked out.',
    },
  )
}

function hasFlake(directory, upward) {
  if (existsSync(join(directory, 'flake.nix'))) return true
  const above = dirname(directory)
  return upward && above !== directory && hasFlake(above, upward)
}

/** Root of the tree that Nix reads for a flake in a directory: of the git tree, but for `path:`. */
function rootOf(installable, workspace) {
  const written = resolve(workspace, installable?.directory ?? '.')
  return installable?.flake.startsWith('path:') ? written : gitRoot(written)
}

function gitRoot(directory) {
  if (existsSync(join(directory, '.git'))) return directory
  const above = dirname(directory)
  return above === directory ? undefined : gitRoot(above)
}

/** Anything else, mostly Nix code: Nix's own words, and the innermost place in the workspace. */
async function inNixCode(error, failure) {
  const { step, installables, workspace } = failure
  const root = rootOf(installables[0], workspace)
  const source = failure.source ?? (root === undefined ? undefined : await guessSource(error.positions, root))
  const places = error.positions.map(position => placeOf(position, source, workspace))
  const place = places.find(found => found !== undefined)
  const what = error.what.split('\n').slice(0, 10).join('\n').trim()
  const at = place === undefined ? '' : ` at ${place.file}:${place.line}`
  const texts = installables.slice(0, 5).map(({ text }) => text)
  const command = `${step === 'built' ? 'nix build -L' : 'nix eval --show-trace'} ${texts.join(' ')}`
  return new UserError(harmless(`${texts.join(', ')} cannot be ${step}${at}: ${what}`), {
    detail: harmless(shortened(error.text, isOurs)).replaceAll(`${source?.path}/`, ''),
    advice: `\`${command}\` shows the same on your machine.`,
    ...(place === undefined ? {} : { place }),
  })

  function isOurs(frame) {
    const found = /\bat (\S.*?):(\d+):\d+/.exec(frame)
    if (found === null) return false
    return placeOf({ file: found[1] ?? '', line: Number(found[2]) }, source, workspace) !== undefined
  }
}

const mostLines = 60

/** Frames in our own query and in what Nix itself is made of. */
const internal = /\bat (?:«(?:string|\w+-internal)»|<nix\/)/

/**
 * A trace without internal frames and, when it is long, with those in the user's code only. Frames are parted by
 * empty lines; the last one that begins with `error:` is what went wrong.
 */
function shortened(text, isOurs) {
  const long = text.split('\n').length > mostLines / 2
  const frames = text.split(/\n[ \t]*\n/)
  const error = frames.findLastIndex(frame => /^\s*error:/.test(frame))
  const kept = frames.filter(
    (frame, index) => index >= error || (!internal.test(frame) && (!long || isOurs(frame))),
  )
  const lines = kept.join('\n\n').split('\n')
  return lines.length <= mostLines
    ? lines.join('\n')
    : [...lines.slice(0, 5), '…', ...lines.slice(6 - mostLines)].join('\n')
}
