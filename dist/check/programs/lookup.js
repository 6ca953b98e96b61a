import { absolute, follow, mayExecute } from './access.js'

/** What engines give a container whose image sets no PATH. */
export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Finds a program as runc, crun and execvp do: a name with a slash is a path, any other is looked for in PATH.
 * @param context `directory` is the working directory
 */
export function lookUp(fs, name, { path, directory, user }) {
  if (name.includes('/')) return runnable(follow(fs, absolute(name, directory), user), user)
  let closed
  for (const folder of name === '' ? [] : path.split(':')) {
    const followed = runnable(follow(fs, `${absolute(folder, directory)}/${name}`, user), user)
    if (followed.is === 'refused') closed ??= followed.found
    else if (followed.is === 'found' || followed.is === 'mounted') return followed
  }
  return { is: 'not in PATH', path, closed }
}

function runnable(followed, user) {
  if (followed.is !== 'found') return followed
  const { found } = followed
  if (found.entry.type === 'directory') return { is: 'refused', why: 'directory', found }
  if (found.entry.type !== 'file') return { is: 'refused', why: 'kind', found }
  return mayExecute(found.entry, user) ? followed : { is: 'refused', why: 'mode', found }
}
