import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { exec } from '../util/exec.js'

/** Finds a program as execvp does. */
export async function findProgram(name, path) {
  for (const directory of (path ?? '').split(delimiter).filter(entry => entry !== '')) {
    const file = join(directory, name)
    if (await can(file, constants.X_OK)) return file
  }
  return undefined
}

/** Whether this process may use `file` in the given way (`constants.W_OK` …). */
export async function can(file, mode) {
  return access(file, mode).then(
    () => true,
    () => false,
  )
}

/**
 * The words to put before a command so that it runs as root without asking for a password: none for root,
 * `sudo -n` where that works, undefined where there is no way.
 */
export async function rootPrefix(uid, env) {
  if (uid === 0) return []
  const sudo = await findProgram('sudo', env.PATH)
  if (sudo === undefined) return undefined
  const { code } = await exec(sudo, ['-n', 'true'], { env })
  return code === 0 ? [sudo, '-n'] : undefined
}
