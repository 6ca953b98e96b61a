import { readText } from '../text.js'

import { globFiles } from './glob.js'
import { parseIni } from './ini.js'

/** Of one config. */
const mostFiles = 1000
const mostPrograms = 500

/**
 * Reads the config at `path` and what it includes. http://supervisord.org/configuration.html
 * @param env what supervisord is started with
 * @returns undefined where there is no such file
 */
export function readSupervisord(fs, path, env) {
  const text = readText(fs, path)
  if (text === undefined) return undefined
  const here = path.slice(0, path.lastIndexOf('/')) || '/'
  const main = { path, text }
  const include = parseIni([main]).sections.get('include')?.values.get('files')?.text ?? ''
  const patterns =
    expand(include, name => (name === 'here' ? here : env.get(variable(name))))
      ?.split(/\s+/)
      .filter(Boolean)
      .slice(0, mostFiles) ?? []
  const included = patterns
    .flatMap(pattern => globFiles(fs, pattern.startsWith('/') ? pattern : `${here}/${pattern}`))
    .slice(0, mostFiles)
    .map(file => ({ path: file, text: readText(fs, file) ?? '' }))
  const ini = parseIni([main, ...included])
  const set = (section, key) =>
    ini.sections.get(section)?.values.get(key) ?? ini.sections.get('DEFAULT')?.values.get(key)
  const environmentIn = (section, from) => {
    const value = set(section, 'environment')
    if (value === undefined) return new Map()
    const names = namesOf(section, value)
    return pairsOf(value.text, name => names.get(name) ?? from.get(variable(name)))
  }
  // What [supervisord] sets in its environment can be used as if it had come with it.
  const own = new Map([...env, ...environmentIn('supervisord', env)])
  const environment = section =>
    section === 'supervisord' ? environmentIn(section, env) : environmentIn(section, own)
  return {
    path,
    ini,
    environment,
    setting(section, key) {
      const value = set(section, key)
      if (value === undefined) return undefined
      const names = namesOf(section, value)
      const process = key === 'command' ? environment(section) : own
      const text = expand(
        value.text,
        name => names.get(name) ?? process.get(variable(name)) ?? own.get(variable(name)),
      )
      return text === undefined ? undefined : { text, place: placeOf(value) }
    },
  }
}

/** What stands for something in a value, besides the environment. */
function namesOf(section, { file }) {
  const [kind, name = ''] = section.split(/:(.*)/s)
  const here = ['here', file.slice(0, file.lastIndexOf('/')) || '/']
  if (kind === 'supervisord') return new Map([here])
  return new Map([here, ['program_name', name], ['group_name', name], ['process_num', '0']])
}

export function programsOf(config) {
  const own = config.environment('supervisord')
  return [...config.ini.sections]
    .filter(([name]) => /^(?:program|fcgi-program|eventlistener):/.test(name))
    .slice(0, mostPrograms)
    .map(([section, { values, ...header }]) => {
      const setting = key => config.setting(section, key)
      const logfiles = ['stdout_logfile', 'stderr_logfile'].map(setting)
      return {
        section,
        place: placeOf(header),
        command: setting('command'),
        hasCommand:
          values.has('command') || config.ini.sections.get('DEFAULT')?.values.has('command') === true,
        autostart: !/^(?:false|no|off|0)$/i.test(setting('autostart')?.text ?? ''),
        user: setting('user'),
        directory: setting('directory'),
        environment: new Map([...own, ...config.environment(section)]),
        logfiles: logfiles.filter(logfile => logfile !== undefined),
      }
    })
}

export function placeOf({ file, line }) {
  return `${file}:${line}`
}

/** `A="x,y",B=z`, as a map; what is no such text is none. */
function pairsOf(text, lookUp) {
  const pairs = text.matchAll(/(?<![^\s,=])([^\s,=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s,]*))/g)
  return new Map(
    [...pairs].map(([, name = '', double, single, plain]) => [
      name,
      expand(double ?? single ?? plain ?? '', lookUp),
    ]),
  )
}

/** The variable that `ENV_…` stands for. */
function variable(name) {
  return name.startsWith('ENV_') ? name.slice(4) : ''
}

/** Fills `%(name)s` in as Python does; undefined where a name is not known before the container is started. */
function expand(text, lookUp) {
  let known = true
  const filled = text.replace(/%(?:%|\((\w+)\)0?\d*[sd])/g, (all, name = '') => {
    if (all === '%%') return '%'
    const value = lookUp(name)
    if (value === undefined) known = false
    return value ?? ''
  })
  return known ? filled : undefined
}
