import { assigned } from '../programs/shell-text.js'
import { readText } from '../text.js'
import { unknownOf } from './environment.js'
import { namedProgram, namedUser } from './named.js'
import { startedPrograms } from './started.js'
import { parseUnit } from './unit.js'

const rule = 'systemd'
/** Where units are looked for, best first; what is in /run is written when it runs. */
const folders = [
  '/etc/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]
/** systemd has one PATH of its own for what is not named in full. */
const ownPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Programs of units that are enabled, where systemd is what starts. What a distribution brings and nobody enabled is
 * not looked at. https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html
 */
export const systemdRule = {
  *inspect(subject) {
    const { fs } = subject
    const starts = startedPrograms(subject).find(({ path, name }) => {
      const target = path === undefined ? undefined : fs.find(path)?.path
      return name === 'systemd' || target?.endsWith('/lib/systemd/systemd')
    })
    if (starts === undefined) return
    for (const [name, path] of enabledServices(subject)) yield* inspectService(subject, name, path, starts)
  },
}

/** Services that a target in /etc wants, by name, with the file that says what they are. */
function enabledServices({ fs }) {
  const [own = ''] = folders
  const wants = fs.list(own).filter(name => /\.(?:wants|requires)$/.test(name))
  const names = wants.flatMap(folder => fs.list(`${own}/${folder}`)).filter(name => name.endsWith('.service'))
  const services = new Map()
  for (const name of new Set(names)) {
    // A unit of a template has what is before its `@`.
    const files = [name, name.replace(/@[^.]*/, '@')].flatMap(one =>
      folders.map(folder => `${folder}/${one}`),
    )
    const file = files.find(file => fs.look(file) !== undefined)
    const path = file === undefined ? undefined : fs.find(file)?.path
    const isChanged = folders.some(folder => fs.list(`${folder}/${name}.d`).length > 0)
    // What is masked leads to /dev/null.
    if (path !== undefined && !isChanged) services.set(name, path)
  }
  return services
}

function* inspectService(subject, name, path, { sure, environment: own }) {
  const text = readText(subject.fs, path)
  if (text === undefined) return
  const unit = parseUnit(text)
  const service = unit.get('Service') ?? []
  const isConditional = (unit.get('Unit') ?? []).some(({ key }) => /^(?:Condition|Assert)/.test(key))
  const severity = sure && !isConditional ? 'error' : 'warning'
  const last = key => service.findLast(assignment => assignment.key === key)
  // Another root has other files.
  if (last('RootDirectory') !== undefined || last('RootImage') !== undefined) return
  const user = last('User')
  if (user !== undefined && !/%|^\d+$/.test(user.value) && last('DynamicUser')?.value !== 'yes') {
    const setting = { text: user.value, place: `${path}:${user.line}` }
    yield* namedUser(subject, {
      rule,
      severity,
      user: setting,
      effect: `${name} fails with \`status=217/USER\``,
    })
  }
  const environment = new Map([...own, ['PATH', ownPath], ...environmentOf(service)])
  for (const { value, line } of commandsOf(service)) {
    const [, prefixes = '', program = ''] = /^([-@:+!|]*)\s*"?([^\s"]+)/.exec(value) ?? []
    if (program === '' || prefixes.includes('-') || /[%$\\]/.test(program)) continue
    yield* namedProgram(subject, {
      rule,
      severity,
      place: `${path}:${line}`,
      argv: [program],
      user: prefixes.includes('+') || user?.value.includes('%') ? 'root' : user?.value,
      environment,
      effect: `${name} fails with \`status=203/EXEC\``,
    })
  }
}

/** What a unit sets in the environment. How systemd reads the values is not looked at. */
function environmentOf(service) {
  const names = service.flatMap(({ key, value }) => {
    if (key === 'Environment') return assigned(value)
    return key === 'EnvironmentFile' ? ['PATH', 'LD_LIBRARY_PATH', 'LD_PRELOAD'] : []
  })
  return new Map(unknownOf(names))
}

/** What is started, without what an empty assignment took away. */
function commandsOf(service) {
  return ['ExecStartPre', 'ExecStart'].flatMap(key => {
    const all = service.filter(assignment => assignment.key === key)
    return all.slice(all.findLastIndex(({ value }) => value === '') + 1)
  })
}
