import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { exec } from '../util/exec.js'

/**
 * The commit that evaluating a local flake depends on; undefined where it may depend on something else: the flake is
 * not in a git tree, or not as it was committed.
 *
 * Not the tree's own hash, which other commits may have too: a flake can ask for its revision and the commit's date.
 */
export async function cleanCommit({ flake, directory }, where) {
  // `path:` takes the folder as it is; a URL, or settings other than these, may name another commit.
  if (directory === undefined || !/^[^:?]*(\?dir=[^&]*)?$/.test(flake)) return undefined
  const git = gitIn(join(where.workspace, directory), where.env)
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
export async function isLocked(source, { directory }, { workspace, env }) {
  if (source.rev === undefined || directory === undefined) return false
  if (source.inputs.length === 0) return true
  const folder = join(workspace, directory)
  const git = gitIn(folder, env)
  const there = await stat(join(folder, 'flake.lock')).catch(() => undefined)
  return there !== undefined && (await git('status', '--porcelain', '--', 'flake.lock')) === ''
}

/** Whether the user's settings leave evaluation to what the flake and its lock file say. */
export function isPure(nixArgs, nixConf) {
  const loose =
    /^(--impure|--no-pure-eval|pure-eval|--override-.*|--update-.*|--recreate-.*|--no-.*lock.*|--arg.*)$/
  return !nixArgs.some(arg => loose.test(arg)) && !/^\s*(extra-)?(pure-eval|impure-env)\b/m.test(nixConf)
}

/** Runs git, whoever the tree belongs to; undefined when it fails, or is not there. */
function gitIn(folder, env) {
  const settings = ['safe.directory=*', 'core.fsmonitor=false'].flatMap(setting => ['-c', setting])
  return async (...args) => {
    const all = ['--no-optional-locks', ...settings, '-C', folder, ...args]
    const result = await exec('git', all, { env }).catch(() => undefined)
    return result?.code === 0 ? result.stdout.trim() : undefined
  }
}
