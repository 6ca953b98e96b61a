import { readText } from '../text.js'

export const root = Object.freeze({ uid: 0, gids: Object.freeze([0]) })

/**
 * Who `user` of an image's config is, as container engines find out: a name must be in the file, a number need not.
 * https://pkg.go.dev/github.com/moby/sys/user#GetExecUser
 * @param user `name`, `uid`, `name:group`, `uid:gid`; empty is root
 * @param passwd text of /etc/passwd, empty where there is none
 * @param group text of /etc/group
 */
export function accountOf(user, passwd, group) {
  const [userName = '', groupName = ''] = user.split(':')
  const uid = idOf(userName === '' ? '0' : userName)
  const entry = lines(passwd).find(([name, , id]) =>
    uid === undefined ? name === userName : number(id) === uid,
  )
  if (entry === undefined && uid === undefined) return { unknown: 'user', name: userName }
  const [name, , id, primary, , home] = entry ?? []
  const groups = lines(group)
  const known = { name, home }
  if (groupName !== '') {
    const gid = idOf(groupName)
    const found = groups.find(([name, , id]) => (gid === undefined ? name === groupName : number(id) === gid))
    if (found === undefined && gid === undefined) return { unknown: 'group', name: groupName }
    return { user: { uid: uid ?? number(id), gids: [gid ?? number(found?.[2])] }, ...known }
  }
  // Nobody looks a user up where none is named.
  const isMember = (members = '') => user !== '' && name !== undefined && members.split(',').includes(name)
  const others = groups.filter(([, , , members]) => isMember(members)).map(([, , id]) => number(id))
  return { user: { uid: uid ?? number(id), gids: [number(primary), ...others] }, ...known }
}

/** Who a user is by the image's own files. */
export function accountIn(fs, user) {
  return accountOf(user, readText(fs, '/etc/passwd') ?? '', readText(fs, '/etc/group') ?? '')
}

/** Fields of the lines that say something. */
function lines(text) {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
    .map(line => line.split(':'))
}

/** A field that is no number counts as 0. */
function number(field) {
  return idOf(field ?? '') ?? 0
}

function idOf(text) {
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined
}
