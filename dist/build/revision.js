import { join } from 'node:path'
import { trustedOwner } from '../nix/environment.js'
import { exec } from '../util/exec.js'

/**
 * The commit that evaluating a local flake depends on; undefined where it may depend on something else: the flake is
 * not in a git tree, or not as it was committed.
 *
 * Not the tree's own hash, which other commits may have too: a flake can ask for its revision and the commit's date.
 */
export async function cleanCommit({ flake, directory }, place) {
  // `path:` takes the folder as it is; a URL, or settings other than these, may name another commit.
  if (directory === undefined || !/^[^:?]*(\?dir=[^&]*)?$/.test(flake)) return undefined
  const git = await gitIn(directory, place)
  const [commit, changes] = await Promise.all([
    git('rev-parse', '--verify', 'HEAD'),
    git('status', '--porcelain', '--untracked-files=no'),
  ])
  return changes === '' && commit !== undefined && /^[0-9a-f]{40,64}$/.test(commit) ? commit : undefined
}

/**
 * Whether what was evaluated follows from the commit alone: it was clean, and the lock file in it names every input.
 * Nix adds to the file what is missing, so it is looked at afterwards.
 */
export async function isLocked(source, { directory }, place) {
  if (source.rev === undefined || directory === undefined) return false
  if (source.inputs.length === 0) return true
  const git = await gitIn(directory, place)
  // A file that git ignores has no status either.
  const tracked = await git('ls-files', '--error-unmatch', '--', 'flake.lock')
  return tracked !== undefined && (await git('status', '--porcelain', '--', 'flake.lock')) === ''
}

/**
 * Whether the user's settings leave evaluation to what the flake and its lock file say.
 * @param env of the job: Nix takes settings from NIX_CONFIG as well
 */
export function isPure(nixArgs, nixConf, env) {
  const loose =
    /^(--impure|--no-pure-eval|pure-eval|impure-env|-f|--file|--expr|--override-.*|--update-.*|--recreate-.*|--no-.*lock.*|--reference-lock-file|--arg.*)$/
  if (env.NIX_CONFIG || nixArgs.some(arg => loose.test(arg))) return false
  return !/^\s*((extra-)?(pure-eval|impure-env)|!?include)\b/m.test(nixConf)
}

/** When a commit was made; undefined where the workspace does not have it. */
export async function commitDate(sha, place) {
  const git = await gitIn('.', place)
  const seconds = await git('show', '-s', '--no-show-signature', '--format=%ct', `${sha}^{commit}`, '--')
  return seconds !== undefined && /^\d+$/.test(seconds) ? new Date(Number(seconds) * 1000) : undefined
}

/**
 * Runs git in a folder of the workspace; undefined when it fails, is not there, or does not trust the tree, which may be
 * another user's. As root it trusts whom Nix trusts. Of the environment it gets little: the rest may be secret, or name
 * another tree.
 */
async function gitIn(folder, { workspace, env: { PATH = '', HOME = '', ...others } }) {
  const env = { PATH, HOME, LC_ALL: 'C', ...(await trustedOwner(workspace, others)) }
  const directory = join(workspace, folder)
  return async (...args) => {
    const all = ['--no-optional-locks', '-c', 'core.fsmonitor=false', '-C', directory, ...args]
    const result = await exec('git', all, { env }).catch(() => undefined)
    return result?.code === 0 ? result.stdout.trim() : undefined
  }
}
