import { isMounted } from '../mounts.js'
import { accountIn } from '../programs/account.js'

const rule = 'home'
/** What a passwd entry says for "none". */
const none = /^(?:|\/|\/nonexistent|\/var\/empty|\/no-such-directory|\/dev\/null|\/proc\/.*|\/run\/.*)$/

/**
 * The home of a user who is not root, who cannot make one where it is missing. Root makes what he needs; and an engine
 * says `/` for a user without an entry, which programs that want a home do not take for one.
 */
export const homeRule = {
  *inspect(subject) {
    const { fs, config } = subject
    const account = accountIn(fs, config.user)
    if (!('user' in account) || account.user.uid === 0) return
    const { user, name = String(user.uid) } = account
    const set = config.env.get('HOME')
    const home = set ?? account.home ?? '/'
    if (none.test(home) || !home.startsWith('/') || isMounted(subject, home)) return
    const place = set === undefined ? '/etc/passwd' : 'Env HOME'
    const entry = fs.find(home)?.entry
    const make = `\`fakeRootCommands = "mkdir -p .${home} && chown ${user.uid}:${user.gids[0]} .${home}"\` of \`dockerTools\``
    if (entry?.type !== 'directory') {
      const why = `The home of ${name}, \`${home}\`, is not in the image, and ${name} may not make it: programs that keep a config, a history or a cache there fail.`
      yield { rule, severity: 'warning', place, why, fix: `Make it: ${make}, or set \`HOME=/tmp\`.` }
      return
    }
    const digit =
      entry.uid === user.uid ? entry.mode >> 6 : user.gids.includes(entry.gid) ? entry.mode >> 3 : entry.mode
    // Services live below /var and the like, and often shall not write there.
    if ((digit & 0o3) === 0o3 || (set === undefined && !home.startsWith('/home/'))) return
    yield {
      rule,
      severity: 'warning',
      place: home,
      why: `It is the home of ${name}, but belongs to ${entry.uid}:${entry.gid} with the mode ${entry.mode.toString(8).padStart(4, '0')}: ${name} cannot write there.`,
      fix: `Give it to ${name}: ${make}. Without \`fakeRootCommands\` all files are root's.`,
    }
  },
}
