import { absolute, basename } from './access.js'
import { accountIn } from './account.js'
import { binaryWrapper } from './binary-wrapper.js'
import { isBusybox } from './busybox.js'
import { shell } from './shell.js'
import { finding, leadsTo, rest, splitWords } from './start.js'

/** Options that inits take before the program: those alone, and those that a value follows. */
const tini = { flags: /^-[svwg]+$/, valued: ['-p', '-e'] }
const dumbInit = {
  flags: /^(?:-[cv]+|--single-child|--verbose|--rewrite=.*)$/,
  valued: ['-r', '--rewrite'],
}
const catatonit = { flags: /^-[gP]+$/, valued: [] }

const wrappers = new Map([
  ...['tini', 'tini-static', 'docker-init'].map(name => [name, init(tini)]),
  ['dumb-init', init(dumbInit)],
  ['catatonit', init(catatonit)],
  ...['gosu', 'su-exec', 's6-setuidgid'].map(name => [name, otherUser]),
  ...['sh', 'bash', 'dash', 'ash'].map(name => [name, shell]),
  ['env', env],
  ['busybox', applet],
])

/** What a program starts in turn, and what keeps it from that, where either is certain enough. */
export function startedBy(subject, start, found) {
  const [name = ''] = start.argv
  const wrapper = wrappers.get(basename(name))
  if (wrapper === undefined) return binaryWrapper(subject, start, found)
  const busybox = isBusybox(found) ? found : undefined
  return wrapper(subject, { ...start, busybox })
}

/** Options first, then the program; with any other option there may be none. */
function init({ flags, valued }) {
  return (_, start) => {
    let at = 1
    for (; start.argv[at]?.startsWith('-'); at++) {
      const option = start.argv[at] ?? ''
      if (option === '--') return rest(start, at + 1)
      if (valued.includes(option)) at++
      else if (!flags.test(option)) return []
    }
    return rest(start, at)
  }
}

/** A busybox by its own name: its first argument says what it is. */
function applet(subject, start) {
  const argv = start.argv.slice(1)
  const cmdAt = start.cmdAt === undefined ? undefined : start.cmdAt - 1
  return wrappers.get(basename(argv[0] ?? ''))?.(subject, { ...start, argv, cmdAt }) ?? []
}

function otherUser({ fs }, start) {
  const [program = '', name = ''] = start.argv
  if (name.startsWith('-')) return []
  const account = accountIn(fs, name)
  if ('user' in account) return rest(start, 2, { user: account.user })
  const { rule, place } = start
  const why = `${basename(program)} is to start a program as \`${name}\`, and /etc/${account.unknown === 'user' ? 'passwd' : 'group'} has no ${account.unknown} \`${account.name}\`.`
  const fix =
    'Let the image have that user: `pkgs.dockerTools.fakeNss.override { extraPasswdLines = [ … ]; }` in `contents`.'
  return [{ finding: finding(start, { rule, place, why, fix }) }]
}

/** https://www.gnu.org/software/coreutils/manual/html_node/env-invocation.html */
function env(subject, start) {
  const variables = new Map(start.env)
  const unknown = new Set(start.unknown)
  let { directory } = start
  for (let at = 1; at < start.argv.length; at++) {
    const word = start.argv[at] ?? ''
    const split = /^-v?S(?<text>[\s\S]*)|^--split-string=(?<long>[\s\S]*)/.exec(word)?.groups
    if (split !== undefined) {
      const text = split.text ?? split.long ?? ''
      const [used, words] = text === '' ? [2, start.argv[at + 1] ?? ''] : [1, text]
      if (/[\\$]/.test(words)) return []
      const argv = [start.argv[0] ?? '', ...splitWords(words), ...start.argv.slice(at + used)]
      return env(subject, {
        ...leadsTo(start, argv, {}),
        rule: start.rule,
        place: start.place,
        env: variables,
        unknown,
        directory,
      })
    }
    const [name = '', ...value] = word.split('=')
    if (word === '-' || word === '-i' || word === '--ignore-environment') {
      variables.clear()
      unknown.clear()
    } else if (word === '-u') variables.delete(start.argv[++at] ?? '')
    else if (word === '-C') directory = absolute(start.argv[++at] ?? '', directory)
    else if (word === '--') return rest(start, at + 1, { env: variables, unknown, directory })
    else if (word.startsWith('-')) return []
    else if (value.length === 0) return rest(start, at, { env: variables, unknown, directory })
    else {
      variables.set(name, value.join('='))
      unknown.delete(name)
    }
  }
  return []
}
