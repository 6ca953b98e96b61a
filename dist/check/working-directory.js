import { absolute, follow } from './programs/access.js'
import { root } from './programs/account.js'

/**
 * The working directory. Engines make one that is missing, and enter it as root where its user may not: what certainly
 * fails is only what is no directory.
 */
export const workingDirectoryRule = { inspect: inspectWorkingDirectory }

function* inspectWorkingDirectory({ fs, config }) {
  if (config.workingDir === '') return
  const followed = follow(fs, absolute(config.workingDir, ''), root)
  const isFile = followed.is === 'found' && followed.found.entry.type !== 'directory'
  const isBlocked = followed.is === 'failed' && followed.errno !== 'ENOENT'
  if (!isFile && !isBlocked) return
  const at = followed.is === 'found' ? followed.found.path : followed.at
  const what =
    followed.is === 'failed' && followed.errno === 'ELOOP' ? 'is a circle of links' : 'is no directory'
  yield {
    rule: 'working-directory',
    severity: 'error',
    place: 'WorkingDir',
    why: `config.WorkingDir is \`${config.workingDir}\`, and ${at} ${what}: no container can be made.`,
    fix: 'Name a directory. One that does not exist is made when a container starts.',
  }
}
