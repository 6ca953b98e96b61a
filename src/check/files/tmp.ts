import { neededByNginx } from '../configs/nginx.ts'
import { startedPrograms } from '../configs/started.ts'
import { neededBySupervisord } from '../configs/supervisord.ts'
import type { Rule, Subject } from '../model.ts'
import { isMounted } from '../mounts.ts'
import { accountIn } from '../programs/account.ts'
import { defaultPath } from '../programs/lookup.ts'

const rule = 'tmp'
/** Programs that put files there and fail, or lose something, where it is missing. */
const users =
  /^(?:python[\d.]*|bash|mktemp|postgres|initdb|mysqld|mariadbd|Xvfb|Xorg|Xvnc|java|perl|ruby|R|gpg|git|sort|npm|yarn|supervisord)$/
const open = 0o777
const sticky = 0o1000

/**
 * /tmp, where programs write what they need for a while. An error where something that starts is sure to end without
 * it; /var/tmp is looked at only where there is one, since few programs know it.
 * https://refspecs.linuxfoundation.org/FHS_3.0/fhs/ch03s18.html
 */
export const tmpRule: Rule = {
  *inspect(subject) {
    const { fs, config } = subject
    if (isMounted(subject, '/tmp')) return
    const found = fs.find('/tmp')
    if (found?.entry.type !== 'directory') {
      yield {
        rule,
        place: '/tmp',
        ...effectOf(subject),
        fix: 'Make it: `extraCommands = "mkdir -m 1777 tmp"` of `dockerTools`, or `mkdir -p $out/tmp` with `perms` in nix2container.',
      }
    }
    const account = accountIn(fs, config.user)
    for (const path of ['/tmp', '/var/tmp']) {
      const entry = fs.find(path)?.entry
      if (entry?.type !== 'directory' || (entry.mode & (open | sticky)) === (open | sticky)) continue
      // Who alone uses it may keep it to himself.
      if (
        'user' in account &&
        account.user.uid !== 0 &&
        account.user.uid === entry.uid &&
        (entry.mode & 0o700) === 0o700
      )
        continue
      const isOpen = (entry.mode & open) === open
      yield {
        rule,
        severity: isOpen ? 'hint' : 'warning',
        place: path,
        why: `It has the mode ${entry.mode.toString(8).padStart(4, '0')}: ${isOpen ? 'every user may remove what others put there' : 'who is not root cannot write there'}.`,
        fix: `Give it the mode 1777: \`extraCommands = "chmod 1777 ${path.slice(1)}"\`; in the store modes are lost.`,
      }
    }
  },
}

function effectOf(subject: Subject): {
  readonly severity: 'error' | 'warning' | 'hint'
  readonly why: string
} {
  const needed = [...neededBySupervisord(subject), ...neededByNginx(subject)]
    .filter(({ text }) => /^\/tmp(?:$|\/)/.test(text))
    .sort((a, b) => Number(b.sure) - Number(a.sure))[0]
  const missing = 'The image has no directory /tmp'
  if (needed !== undefined) {
    const severity = needed.sure ? 'error' : 'warning'
    return {
      severity,
      why: `${missing}, and ${needed.place} puts a file there, without which what is started ends.`,
    }
  }
  const user = programNames(subject).find(name => users.test(name))
  if (user === undefined)
    return { severity: 'hint', why: `${missing}. Programs that need a file for a while fail.` }
  return { severity: 'warning', why: `${missing}, where ${user} puts files: it fails when it needs one.` }
}

/** Programs that start, and those that can be called by their name. */
function programNames(subject: Subject): string[] {
  const { fs, config } = subject
  const folders = (config.env.get('PATH') ?? defaultPath).split(':').filter(folder => folder.startsWith('/'))
  // Busybox has a bit of everything, and needs no place for it.
  const isOwn = (folder: string, name: string) => !fs.find(`${folder}/${name}`)?.path.endsWith('/busybox')
  const callable = folders.flatMap(folder =>
    fs.list(folder).filter(name => users.test(name) && isOwn(folder, name)),
  )
  return [...startedPrograms(subject).map(({ name }) => name), ...callable]
}
